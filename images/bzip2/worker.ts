import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import { BlockDecoder } from './block-decoder.js';
import { Bzip2Fault } from './format.js';
import type { BlockEnd, Chunk, Job, Part, Release, WorkerSettings } from './worker-messages.js';

/** A thread that decodes the possible blocks of one job after the other. */
class BlockWorker {
  private readonly decoder = new BlockDecoder();
  private readonly jobs: Job[] = [];
  private readonly released: ArrayBuffer[] = [];
  private made = 0;
  private busy = false;
  private wake: (() => void) | undefined;

  private target = new Uint8Array(0);
  private filled = 0;
  private parts: Part[] = [];

  constructor(
    private readonly port: MessagePort,
    private readonly settings: WorkerSettings,
  ) {
    port.on('message', (message: Job | Release) => {
      if (message.kind === 'job') this.jobs.push(message);
      else this.released.push(message.buffer);
      this.wake?.();
      void this.work();
    });
  }

  private async work(): Promise<void> {
    if (this.busy) return;
    this.busy = true;
    for (let job = this.jobs.shift(); job !== undefined; job = this.jobs.shift()) {
      this.decoder.open(new Uint8Array(job.buffer));
      for (const [index, bit] of job.bits.entries()) await this.decode(bit, index);
      if (this.target.length === 0) await this.renew();
      this.send(true);
    }
    this.busy = false;
  }

  private async decode(bit: number, index: number): Promise<void> {
    const { decoder } = this;
    try {
      decoder.begin(bit);
    } catch (fault) {
      if (!(fault instanceof Bzip2Fault)) throw fault;
      const { message, cut } = fault;
      this.parts.push({
        index,
        bytes: 0,
        zeros: 0,
        end: { ...nothing, fault: { message, bit: fault.bit, cut } },
      });
      return;
    }
    for (;;) {
      const zeros = decoder.takeZeros();
      if (this.filled === this.target.length) await this.renew();
      const from = this.filled;
      if (zeros === 0) this.filled = decoder.fill(this.target, from);
      const part = { index, bytes: this.filled - from, zeros };
      if (decoder.done) {
        this.parts.push({ ...part, end: this.endOf(bit) });
        return;
      }
      this.parts.push(part);
    }
  }

  private endOf(bit: number): BlockEnd {
    const { endBit, length, checksum } = this.decoder;
    const message = this.decoder.fault();
    const end = { endBit, length, checksum };
    return message === undefined ? end : { ...end, fault: { message, bit, cut: false } };
  }

  /** Sends what is filled, and waits for a buffer where all are in other hands. */
  private async renew(): Promise<void> {
    if (this.target.length > 0) this.send(false);
    while (this.released.length === 0 && this.made === this.settings.chunks)
      await new Promise<void>((resolve) => {
        this.wake = resolve;
      });
    let buffer = this.released.pop();
    if (buffer === undefined) {
      buffer = new ArrayBuffer(this.settings.chunkBytes);
      this.made++;
    }
    this.target = new Uint8Array(buffer);
  }

  private send(last: boolean): void {
    const { buffer } = this.target;
    const chunk: Chunk = { buffer, parts: this.parts, last };
    this.port.postMessage(chunk, [buffer]);
    this.target = new Uint8Array(0);
    this.filled = 0;
    this.parts = [];
  }
}

const nothing: BlockEnd = { endBit: 0, length: 0, checksum: 0 };

if (parentPort !== null) new BlockWorker(parentPort, workerData as WorkerSettings);
