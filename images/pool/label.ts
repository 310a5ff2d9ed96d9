import { createHash } from 'node:crypto';
import { type ByteSource, readBytes } from '../bytes/byte-source.js';
import { byteString, byteStringFromText, bytesOf } from '../bytes/byte-string.js';
import { readUint64BE, writeInt64BE } from '../bytes/integers.js';
import { DiagnosticError, imageError } from '../diagnostic.js';
import { type PoolConfig, printPoolConfig, type SubpoolType } from './config.js';

/** Bytes of a label that have a meaning; the rest is zero (format document §10.1). */
export const LABEL_BYTES = 512;
/** What the label takes of its device: the pool's data starts behind it. */
export const LABEL_AREA_BYTES = 8192;
export const SECTOR_BYTES = 512;
/** The version that LVM2's sample labels carry; what OpenGFS 0.0.92 wrote is not known. */
export const LABEL_VERSION = 0x00040103;

const MAGIC = 0x11670n;
/** Readers accept any version with this major and minor number. */
const VERSION_ACCEPTED = 0x0401;
const SUBPOOLS_MAX = 128;
const NAME_FIELD_BYTES = 256;

const typeCodes: Readonly<Record<SubpoolType, number>> = {
  data: 0,
  gfs_data: 0x68011670,
  gfs_journal: 0x69011670,
};

/** The label of one device of a pool. */
export interface PoolLabel {
  /** The same on all devices of a pool. */
  readonly poolId: bigint;
  /** A byte string. */
  readonly poolName: string;
  /** major << 16, minor << 8, update. */
  readonly version: number;
  readonly subpools: number;
  readonly subpoolId: number;
  /** Devices in this subpool. */
  readonly devices: number;
  readonly deviceId: number;
  readonly type: SubpoolType;
  /** 512-byte sectors that this device contributes, from byte 8192 on. */
  readonly blocks: number;
  /** Stripe in sectors; 0 concatenates. */
  readonly striping: number;
  readonly dmepDevices: number;
  readonly dmepId: number;
  readonly weight: number;
  /** 0 lets the driver choose. */
  readonly minor: number;
}

const offsets = {
  magic: 0,
  poolId: 8,
  poolName: 16,
  version: 272,
  subpools: 276,
  subpoolId: 280,
  devices: 284,
  deviceId: 288,
  type: 292,
  blocks: 296,
  striping: 304,
  dmepDevices: 308,
  dmepId: 312,
  weight: 316,
  minor: 320,
} as const;

/** Whether a device starts with a pool label of any version. */
export function hasPoolLabel(source: ByteSource): boolean {
  return source.size >= LABEL_BYTES && readBytes(source, 0, 8).readBigUInt64BE(0) === MAGIC;
}

/** Reads a device's label. Throws a DiagnosticError when there is none or it contradicts itself or the device. */
export function readPoolLabel(source: ByteSource): PoolLabel {
  const fail = (message: string) => imageError({ file: source.name, offset: 0 }, message);
  if (!hasPoolLabel(source)) throw fail('no pool label');
  const label = decodePoolLabel(readBytes(source, 0, LABEL_BYTES));
  if (typeof label === 'string') throw fail(`a pool label that can't be right: ${label}`);
  if (LABEL_AREA_BYTES + label.blocks * SECTOR_BYTES > source.size) {
    throw fail(`the pool label says ${label.blocks} sectors, but the device has only ${source.size} bytes`);
  }
  return label;
}

/** Decodes a label; what is wrong comes back as text. */
export function decodePoolLabel(bytes: Buffer): PoolLabel | string {
  const typeCode = bytes.readUInt32BE(offsets.type);
  const type = (Object.entries(typeCodes) as [SubpoolType, number][]).find(
    ([, code]) => code === typeCode,
  )?.[0];
  const version = bytes.readUInt32BE(offsets.version);
  const nameField = bytes.subarray(offsets.poolName, offsets.poolName + NAME_FIELD_BYTES);
  const nameEnd = nameField.indexOf(0);
  if (version >>> 8 !== VERSION_ACCEPTED) return `version 0x${version.toString(16)} (known are 4.1.x)`;
  if (type === undefined) return `unknown subpool type 0x${typeCode.toString(16)}`;
  if (nameEnd < 1) return 'its name is empty or has no end';
  const label = {
    poolId: bytes.readBigUInt64BE(offsets.poolId),
    poolName: byteString(nameField.subarray(0, nameEnd)),
    version,
    subpools: bytes.readUInt32BE(offsets.subpools),
    subpoolId: bytes.readUInt32BE(offsets.subpoolId),
    devices: bytes.readUInt32BE(offsets.devices),
    deviceId: bytes.readUInt32BE(offsets.deviceId),
    type,
    blocks: readUint64BE(bytes, offsets.blocks),
    striping: bytes.readUInt32BE(offsets.striping),
    dmepDevices: bytes.readUInt32BE(offsets.dmepDevices),
    dmepId: bytes.readUInt32BE(offsets.dmepId),
    weight: bytes.readUInt32BE(offsets.weight),
    minor: bytes.readUInt32BE(offsets.minor),
  };
  if (label.subpools < 1 || label.subpools > SUBPOOLS_MAX || label.subpoolId >= label.subpools) {
    return `subpool ${label.subpoolId} of ${label.subpools}`;
  }
  if (label.devices < 1 || label.devices > SUBPOOLS_MAX || label.deviceId >= label.devices) {
    return `device ${label.deviceId} of ${label.devices}`;
  }
  if ((label.striping & (label.striping - 1)) !== 0) return `a stripe of ${label.striping} sectors`;
  if (!Number.isFinite(label.blocks)) return 'its size';
  return label;
}

/** The 512 bytes of a label. */
export function writePoolLabel(label: PoolLabel): Buffer {
  const bytes = Buffer.alloc(LABEL_BYTES);
  bytes.writeBigUInt64BE(MAGIC, offsets.magic);
  bytes.writeBigUInt64BE(label.poolId, offsets.poolId);
  const name = bytesOf(label.poolName);
  if (name.length < 1 || name.length >= NAME_FIELD_BYTES)
    throw new RangeError(`pool name of ${name.length} bytes`);
  name.copy(bytes, offsets.poolName);
  bytes.writeUInt32BE(label.version, offsets.version);
  bytes.writeUInt32BE(label.subpools, offsets.subpools);
  bytes.writeUInt32BE(label.subpoolId, offsets.subpoolId);
  bytes.writeUInt32BE(label.devices, offsets.devices);
  bytes.writeUInt32BE(label.deviceId, offsets.deviceId);
  bytes.writeUInt32BE(typeCodes[label.type], offsets.type);
  writeInt64BE(bytes, label.blocks, offsets.blocks);
  bytes.writeUInt32BE(label.striping, offsets.striping);
  bytes.writeUInt32BE(label.dmepDevices, offsets.dmepDevices);
  bytes.writeUInt32BE(label.dmepId, offsets.dmepId);
  bytes.writeUInt32BE(label.weight, offsets.weight);
  bytes.writeUInt32BE(label.minor, offsets.minor);
  return bytes;
}

export interface LabelOptions {
  /** Fixed instead of derived: what tells this pool from others of the same name. */
  readonly poolId?: bigint;
  readonly version?: number;
}

/**
 * The labels of a pool's devices, in the order of `config.devices`, whose sizes in bytes are `sizes`. The pool id is
 * derived from the configuration, so that the same file gives the same bytes. Throws a DiagnosticError of kind
 * `usage` when a device is too small.
 */
export function labelsFor(
  config: PoolConfig,
  sizes: readonly number[],
  options: LabelOptions = {},
): PoolLabel[] {
  const poolId = options.poolId ?? derivedPoolId(config);
  const usable = sizes.map((size, index) => usableSectors(size, config.devices[index]?.path ?? ''));
  return config.devices.map((device, index) => {
    const subpool = config.subpools.find(({ id }) => id === device.subpool);
    if (subpool === undefined) throw new RangeError(`no subpool ${device.subpool}`);
    let blocks = usable[index]!;
    if (subpool.stripe > 0) {
      // RAID 0 needs devices of the same size, whole stripes long (§10.1).
      const least = Math.min(
        ...config.devices.flatMap((other, at) => (other.subpool === subpool.id ? [usable[at]!] : [])),
      );
      blocks = Math.floor(least / subpool.stripe) * subpool.stripe;
      if (blocks === 0) throw tooSmall(device.path, `one stripe of ${subpool.stripe} sectors`);
    }
    return {
      poolId,
      poolName: byteStringFromText(config.name),
      version: options.version ?? LABEL_VERSION,
      subpools: config.subpools.length,
      subpoolId: subpool.id,
      devices: subpool.devices,
      deviceId: device.id,
      type: subpool.type,
      blocks,
      striping: subpool.stripe,
      dmepDevices: 0,
      dmepId: 0,
      weight: device.weight,
      minor: config.minor,
    };
  });
}

/** Whole groups of 16 sectors behind the label, as the sample labels have them (§10.1). */
function usableSectors(bytes: number, path: string): number {
  const sectors = Math.floor(bytes / SECTOR_BYTES) - LABEL_AREA_BYTES / SECTOR_BYTES;
  const usable = Math.floor(sectors / 16) * 16;
  if (usable < 16) throw tooSmall(path, 'its label of 8 KiB and 8 KiB of data');
  return usable;
}

function tooSmall(path: string, what: string): DiagnosticError {
  return new DiagnosticError({
    kind: 'usage',
    message: `the device is too small for ${what}`,
    location: { file: path },
  });
}

function derivedPoolId(config: PoolConfig): bigint {
  return createHash('sha256').update(printPoolConfig(config)).digest().readBigUInt64BE(0);
}
