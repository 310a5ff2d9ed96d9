import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

const images = fileURLToPath(new URL('../../../images', import.meta.url));

/** What the decoder needs, as folders below `images/`. */
const parts = ['.', 'bytes', 'bzip2'];

export interface Outcome {
  readonly size: number;
  readonly sha256: string;
  /** What a user would see. */
  readonly error?: string;
  /** Largest memory of the process, in MiB. */
  readonly peak: number;
}

/**
 * Worker threads run compiled code only, and tests run the sources: so this compiles the decoder into a folder of
 * its own and runs it there, in a process of its own, which must come to its end by itself.
 */
export class CompiledDecoder {
  private readonly script: string;

  constructor(folder: string) {
    for (const part of parts) {
      const [from, to] = [join(images, part), join(folder, 'images', part)];
      mkdirSync(to, { recursive: true });
      for (const name of readdirSync(from).filter((each) => each.endsWith('.ts')))
        writeFileSync(join(to, name.replace(/ts$/, 'js')), compile(readFileSync(join(from, name), 'utf8')));
    }
    copyFileSync(join(images, 'bzip2', 'block.wasm'), join(folder, 'images', 'bzip2', 'block.wasm'));
    writeFileSync(join(folder, 'package.json'), '{"type": "module"}');
    this.script = join(folder, 'decode.js');
    writeFileSync(this.script, script);
  }

  /** Decodes a file in `jobs` threads; with `abortAfter`, an abort comes after so many pieces. */
  decode(path: string, jobs: number, abortAfter?: number): Outcome {
    const args = [this.script, path, String(jobs), String(abortAfter ?? '')];
    return JSON.parse(
      execFileSync(process.execPath, args, { encoding: 'utf8', timeout: 300_000 }),
    ) as Outcome;
  }
}

function compile(source: string): string {
  return ts.transpileModule(source, {
    compilerOptions: {
      target: ts.ScriptTarget.ES2023,
      module: ts.ModuleKind.ESNext,
      verbatimModuleSyntax: true,
    },
  }).outputText;
}

const script = `
import { createHash } from 'node:crypto';
import { FileSource } from './images/bytes/byte-source.js';
import { hasWorkers } from './images/bzip2/blocks-ahead.js';
import { decodeBzip2 } from './images/bzip2/decode.js';
import { DiagnosticError } from './images/diagnostic.js';

const [path, jobs, abortAfter] = process.argv.slice(2);
if (!hasWorkers()) throw new Error('no workers here');
const source = new FileSource(path, 'test.bz2');
const hash = createHash('sha256');
const controller = new AbortController();
const zeros = new Uint8Array(1 << 20);
let [size, pieces] = [0, 0];
const outcome = {};
const write = (bytes) => {
  if (++pieces === Number(abortAfter)) controller.abort();
  size += bytes.length;
  hash.update(bytes);
};
try {
  await decodeBzip2(source, write, {
    jobs: Number(jobs),
    signal: controller.signal,
    // As who writes a sparse file takes them.
    onZeros: (count) => {
      for (let done = 0; done < count; done += zeros.length) write(zeros.subarray(0, count - done));
    },
  });
} catch (error) {
  if (!(error instanceof DiagnosticError)) throw error;
  outcome.error = error.message;
}
const peak = Math.round(process.resourceUsage().maxRSS / 1024);
console.log(JSON.stringify({ ...outcome, size, sha256: hash.digest('hex'), peak }));
`;
