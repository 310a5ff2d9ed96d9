import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { hostError } from '../diagnostic.js';

/** What `assembly/index.ts` exports: addresses and sizes are in bytes of its memory, places in bits of the window. */
export interface BlockCode {
  readonly memory: { readonly buffer: ArrayBuffer };
  readonly window: Constant;
  readonly WINDOW_BYTES: Constant;
  readonly PADDING_BYTES: Constant;
  readonly pairs: Constant;
  readonly text: Constant;
  readonly output: Constant;
  readonly OUTPUT_BYTES: Constant;
  /** What the last block's header says, and what reading it came to. */
  readonly checksum: Constant;
  readonly randomised: Constant;
  readonly columnBytes: Constant;
  readonly symbolsEnd: Constant;
  readonly faultBit: Constant;
  readonly faultNumber: Constant;

  openWindow(length: number): void;
  findPair(from: number, to: number, step: number): number;
  readBlock(bit: number): number;
  unrotate(bit: number): number;
  expand(capacity: number): number;
  isZeroOutput(count: number): number;
  isDone(): number;
  isUnfinished(): number;
  outputChecksum(): number;
}

/** A number that the code exports: it changes, but not from here. */
export interface Constant {
  readonly value: number;
}

const compiled = new URL('./block.wasm', import.meta.url);
let code: object | undefined;

/** An instance with a memory of its own. Throws a DiagnosticError where the host can't run it. */
export function blockCode(): BlockCode {
  try {
    code ??= new WebAssembly.Module(readFileSync(compiled));
    return new WebAssembly.Instance(code).exports as BlockCode;
  } catch (error) {
    throw hostError(
      `the bzip2 decoder can't run here: ${error instanceof Error ? error.message : String(error)}`,
      `It needs ${fileURLToPath(compiled)}, a processor with vector instructions (SSE4.1 or NEON), and 27 MiB of memory; or decompress the file yourself.`,
    );
  }
}
