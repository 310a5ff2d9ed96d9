import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Constant } from '../../../images/bzip2/block-code.js';
import { compile } from '../../../scripts/assembly.mjs';
import { temporaryFolder } from '../../support/temporary.js';

/** What assembly/parts.ts exports. */
interface Parts {
  readonly memory: { readonly buffer: ArrayBuffer };
  readonly input: Constant;
  readonly counts: Constant;
  readonly runs: Constant;
  readonly text: Constant;
  readonly output: Constant;
  readonly CRC_START: Constant;
  crcOf(crc: number, from: number, to: number): number;
  crcOfZeros(crc: number, count: number): number;
  reset(): void;
  take(place: number): number;
  closeRuns(count: number, bytes: number): void;
  undoRotations(origin: number): void;
  beginRuns(length: number): void;
  expand(capacity: number): number;
  isDone(): number;
  outputChecksum(): number;
}

/** The decoder's parts, compiled for this test, and their memory. */
export async function compiledParts(): Promise<{ code: Parts; memory: Uint8Array }> {
  const target = join(temporaryFolder(), 'parts.wasm');
  await compile(fileURLToPath(new URL('./assembly/parts.ts', import.meta.url)), target);
  const module = new WebAssembly.Module(readFileSync(target));
  const code = new WebAssembly.Instance(module).exports as Parts;
  return { code, memory: new Uint8Array(code.memory.buffer) };
}
