import { type ByteSource, checkRange } from '../bytes/byte-source.js';
import { textFromByteString } from '../bytes/byte-string.js';
import type { ByteSink } from '../bytes/sparse-file.js';
import { type DiagnosticError, imageError } from '../diagnostic.js';
import { AddressSpace, type SubpoolRange } from './address-space.js';
import { hasPoolLabel, type PoolLabel, readPoolLabel } from './label.js';

export { hasPoolLabel };

/** The bytes of a pool, read from its devices. */
export class PoolSource implements ByteSource {
  readonly name: string;
  readonly size: number;
  private readonly space: AddressSpace;

  constructor(
    private readonly devices: readonly ByteSource[],
    readonly labels: readonly PoolLabel[],
  ) {
    this.space = new AddressSpace(labels);
    this.name = devices.map(({ name }) => name).join('+');
    this.size = this.space.size;
  }

  get subpools(): SubpoolRange[] {
    return this.space.subpools;
  }

  readInto(target: Uint8Array, offset: number): void {
    checkRange(this, offset, target.length);
    let done = 0;
    for (const { device, position, length } of this.space.runs(offset, target.length)) {
      this.devices[device]!.readInto(target.subarray(done, done + length), position);
      done += length;
    }
  }

  close(): void {
    for (const device of this.devices) device.close();
  }
}

/** The bytes of a pool, written to its devices. */
export class PoolSink implements ByteSink {
  readonly name: string;
  readonly size: number;
  private readonly space: AddressSpace;

  constructor(
    private readonly devices: readonly ByteSink[],
    labels: readonly PoolLabel[],
  ) {
    this.space = new AddressSpace(labels);
    this.name = devices.map(({ name }) => name).join('+');
    this.size = this.space.size;
  }

  write(bytes: Uint8Array, offset: number): void {
    if (offset < 0 || offset + bytes.length > this.size)
      throw new RangeError(`write outside the pool on ${this.name}`);
    let done = 0;
    for (const { device, position, length } of this.space.runs(offset, bytes.length)) {
      this.devices[device]!.write(bytes.subarray(done, done + length), position);
      done += length;
    }
  }

  flush(): void {
    for (const device of this.devices) device.flush();
  }
}

/** Opens a pool given all its devices, in any order. Throws a DiagnosticError that names the device that is amiss. */
export function openPool(devices: readonly ByteSource[]): PoolSource {
  return new PoolSource(devices, labelsOf(devices));
}

/** Opens a pool for writing: `sinks` are the devices that `devices` read, in the same order. */
export function openPoolForWriting(devices: readonly ByteSource[], sinks: readonly ByteSink[]): PoolSink {
  return new PoolSink(sinks, labelsOf(devices));
}

/** The labels of devices that make one whole pool. */
function labelsOf(devices: readonly ByteSource[]): PoolLabel[] {
  const labels = devices.map(readPoolLabel);
  const [first] = labels;
  if (first === undefined) throw new RangeError('a pool has at least one device');
  const name = textFromByteString(first.poolName);
  const seen = new Map<string, string>();
  for (const [index, label] of labels.entries()) {
    const device = devices[index]!;
    const fail = (message: string): DiagnosticError => imageError({ file: device.name }, message);
    if (label.poolId !== first.poolId || label.poolName !== first.poolName) {
      throw fail(
        `it belongs to the pool "${textFromByteString(label.poolName)}" with another id, not to "${name}"`,
      );
    }
    if (label.subpools !== first.subpools)
      throw fail(`it says ${label.subpools} subpools, ${devices[0]!.name} says ${first.subpools}`);
    const place = `${label.subpoolId}.${label.deviceId}`;
    const other = seen.get(place);
    if (other !== undefined)
      throw fail(`it is device ${label.deviceId} of subpool ${label.subpoolId}, and so is ${other}`);
    seen.set(place, device.name);
  }
  checkComplete(devices, labels, first, name);
  return labels;
}

function checkComplete(
  devices: readonly ByteSource[],
  labels: readonly PoolLabel[],
  first: PoolLabel,
  name: string,
): void {
  for (let id = 0; id < first.subpools; id++) {
    const members = labels.filter(({ subpoolId }) => subpoolId === id);
    const wanted = members[0]?.devices ?? 1;
    if (members.length !== wanted || members.some((member) => member.devices !== wanted)) {
      throw imageError(
        { file: devices[0]!.name },
        `the pool "${name}" has ${first.subpools} subpools; of subpool ${id} ${members.length} of ${wanted} devices are given`,
        'Name the others with --pool-device.',
      );
    }
    const [head] = members;
    const odd = members.find(
      ({ type, striping, blocks }) =>
        type !== head?.type || striping !== head.striping || (striping > 0 && blocks !== head.blocks),
    );
    if (odd !== undefined) {
      throw imageError(
        { file: devices[labels.indexOf(odd)]!.name },
        `its label contradicts that of the other devices of subpool ${id}`,
      );
    }
    if (head !== undefined && head.striping > 0 && head.blocks % head.striping !== 0) {
      throw imageError(
        { file: devices[labels.indexOf(head)]!.name },
        `its ${head.blocks} sectors are no whole number of stripes`,
      );
    }
  }
}
