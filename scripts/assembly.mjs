// Compiles AssemblyScript to WebAssembly: for the build, and for tests, which run the sources as they are.
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const blockDecoder = join(root, 'images', 'bzip2', 'assembly');

/** Compiles the decoder of bzip2 blocks for the code that is compiled to `dist`. */
export async function compileBlockDecoder(dist) {
  await compile(join(blockDecoder, 'index.ts'), join(dist, 'images', 'bzip2', 'block.wasm'));
}

/** The same for the sources, where it is missing or older than they are. */
export async function compileForSources() {
  const target = join(root, 'images', 'bzip2', 'block.wasm');
  const newest = Math.max(
    statSync(fileURLToPath(import.meta.url)).mtimeMs,
    ...readdirSync(blockDecoder).map((name) => statSync(join(blockDecoder, name)).mtimeMs),
  );
  if (!existsSync(target) || statSync(target).mtimeMs <= newest) await compileBlockDecoder(root);
}

/** Compiles a file and what it imports. Writes the target at once or not at all; throws when anything is wrong. */
export async function compile(entry, target) {
  const { main } = await import('assemblyscript/asc');
  const made = `${target}.${process.pid}`;
  mkdirSync(dirname(target), { recursive: true });
  const options = [
    '--outFile',
    relative(root, made),
    '--optimizeLevel',
    '3',
    '--noAssert',
    '--runtime',
    'stub',
  ];
  // The decoder never traps by itself, so it needs nothing from outside. 112: vectors do stay inside of it.
  options.push('--use', 'abort=', '--enable', 'simd', '--disableWarning', '112', '--baseDir', root);
  try {
    const { error, stderr } = await main([relative(root, entry), ...options]);
    if (error !== null) throw new Error(`${entry}: ${stderr.toString()}`, { cause: error });
    renameSync(made, target);
  } finally {
    rmSync(made, { force: true });
  }
}
