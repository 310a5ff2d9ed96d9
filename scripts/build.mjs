// Compiles the project and makes its commands runnable as `npx NAME` from a fresh checkout.
// npm links the bins of dependencies only, not those of the package itself, so this does it. They stand under
// "commands" in package.json: for a "bin" npx would install the checkout once more, and build it again.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, readFileSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { compileBlockDecoder } from './assembly.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const compiler = createRequire(import.meta.url).resolve('typescript/bin/tsc');
// Compiled beside the old code and put in its place: a command that runs meanwhile finds one or the other.
const [dist, made] = [join(root, 'dist'), join(root, `dist.${process.pid}`)];
try {
  const compiling = spawn(process.execPath, [compiler, '-p', root, '--outDir', made], { stdio: 'inherit' });
  const [types, assembly] = await Promise.allSettled([once(compiling, 'exit'), compileBlockDecoder(made)]);
  if (assembly.status === 'rejected') throw assembly.reason;
  if (types.status === 'rejected') throw types.reason;
  if (types.value[0] === 0) {
    rmSync(dist, { recursive: true, force: true });
    renameSync(made, dist);
  } else process.exitCode = 1;
} finally {
  rmSync(made, { recursive: true, force: true });
}

if (process.exitCode !== undefined) process.exit();

const { commands } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const binFolder = join(root, 'node_modules', '.bin');
mkdirSync(binFolder, { recursive: true });
for (const [name, target] of Object.entries(commands)) {
  const program = join(root, target);
  chmodSync(program, 0o755);
  const link = join(binFolder, name);
  rmSync(link, { force: true });
  symlinkSync(relative(binFolder, program), link);
}
