import { LABEL_AREA_BYTES, type PoolLabel, SECTOR_BYTES } from './label.js';

/** A run of a pool's bytes on one of its devices. */
export interface DeviceRun {
  /** Index of the device, in the order in which the space was made. */
  readonly device: number;
  /** Byte offset on the device, its label included. */
  readonly position: number;
  readonly length: number;
}

/** A subpool's place in the pool's bytes. */
export interface SubpoolRange {
  readonly id: number;
  readonly type: PoolLabel['type'];
  readonly start: number;
  readonly size: number;
}

interface Part extends SubpoolRange {
  /** Bytes of a stripe; 0 for concatenation. */
  readonly stripe: number;
  /** Devices by id: index and bytes. */
  readonly devices: readonly { readonly index: number; readonly bytes: number }[];
}

/**
 * Maps the linear bytes of a pool to its devices: subpools by id, inside one its devices by id, concatenated or
 * striped as in RAID 0 (format document §10.1). The labels have been checked to belong together.
 */
export class AddressSpace {
  readonly size: number;
  private readonly parts: readonly Part[];

  constructor(labels: readonly PoolLabel[]) {
    const parts: Part[] = [];
    let start = 0;
    const ids = [...new Set(labels.map(({ subpoolId }) => subpoolId))].sort((a, b) => a - b);
    for (const id of ids) {
      const members = labels
        .map((label, index) => ({ label, index }))
        .filter(({ label }) => label.subpoolId === id)
        .sort((a, b) => a.label.deviceId - b.label.deviceId);
      const { type, striping } = members[0]!.label;
      const devices = members.map(({ label, index }) => ({ index, bytes: label.blocks * SECTOR_BYTES }));
      const size = devices.reduce((sum, { bytes }) => sum + bytes, 0);
      parts.push({ id, type, start, size, stripe: striping * SECTOR_BYTES, devices });
      start += size;
    }
    this.parts = parts;
    this.size = start;
  }

  get subpools(): SubpoolRange[] {
    return this.parts.map(({ id, type, start, size }) => ({ id, type, start, size }));
  }

  /** The runs that `length` bytes from `offset` on are made of, in order. The caller has checked the range. */
  *runs(offset: number, length: number): Generator<DeviceRun> {
    let position = offset;
    const end = offset + length;
    for (const part of this.parts) {
      while (position < end && position < part.start + part.size && position >= part.start) {
        const run =
          part.stripe > 0
            ? stripedRun(part, position - part.start)
            : concatenatedRun(part, position - part.start);
        const count = Math.min(run.length, end - position);
        yield { ...run, length: count };
        position += count;
      }
    }
  }
}

function concatenatedRun({ devices }: Part, offset: number): DeviceRun {
  let start = 0;
  for (const { index, bytes } of devices) {
    if (offset < start + bytes) {
      return { device: index, position: LABEL_AREA_BYTES + offset - start, length: start + bytes - offset };
    }
    start += bytes;
  }
  throw new RangeError(`offset ${offset} is outside the subpool`);
}

function stripedRun({ devices, stripe }: Part, offset: number): DeviceRun {
  const number = Math.floor(offset / stripe);
  const within = offset - number * stripe;
  const { index } = devices[number % devices.length]!;
  const row = Math.floor(number / devices.length);
  return { device: index, position: LABEL_AREA_BYTES + row * stripe + within, length: stripe - within };
}
