/** Where an object lies: records of stages by their keys, bytes by their digests. */
export type ObjectKind = 'ac' | 'cas';

/** An object is never longer than this, in bytes: large files travel as many objects. */
export const OBJECT_BYTES_MAX = 16 * 1024 * 1024;

/**
 * A remote cache, as the protocol of Bazel's HTTP cache has it: small objects with names of 64 hexadecimal digits. It
 * promises nothing: whoever reads checks, and every call may throw a {@link StoreFault}.
 */
export interface ObjectStore {
  /** As messages call it; holds no credentials. */
  readonly name: string;
  /** Undefined when it is not there. */
  get(kind: ObjectKind, name: string, signal: AbortSignal): Promise<Buffer | undefined>;
  has(kind: ObjectKind, name: string, signal: AbortSignal): Promise<boolean>;
  /** Puts it there, in the place of what is there. */
  put(kind: ObjectKind, name: string, bytes: Uint8Array, signal: AbortSignal): Promise<void>;
  /** Releases what is open. */
  close(): void;
}

/** What came of a call that did not work. */
export type FaultKind =
  /** Once more may help. */
  | 'passing'
  /** It works, but what it sends is not what was asked for. */
  | 'damaged'
  /** This user may not. */
  | 'denied'
  /** Once more is no use. */
  | 'lasting';

/** A call to a store that did not work. */
export class StoreFault extends Error {
  constructor(
    readonly kind: FaultKind,
    message: string,
    /** How long the store asks to wait, in milliseconds. */
    readonly retryAfter?: number,
  ) {
    super(message);
  }
}
