import { copyFileSync, existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import ts from 'typescript';
import { temporaryFolder } from './temporary.js';

const project = join(import.meta.dirname, '../..');

/**
 * Compiles a program of the project, and all it imports from it, into a folder of its own: for tests that need another
 * process. `others` are put there too. Returns the path of what `node` runs.
 */
export function compiled(entry: string, ...others: string[]): string {
  return compiledInto(temporaryFolder(), entry, ...others);
}

/** The same into an empty folder that is there: for a hook, which can't have a temporary folder. */
export function compiledInto(folder: string, entry: string, ...others: string[]): string {
  writeFileSync(join(folder, 'package.json'), '{"type":"module","version":"0.0.0"}');
  symlinkSync(join(project, 'node_modules'), join(folder, 'node_modules'));
  const pending = [entry, ...others].map((name) => join(project, name));
  const seen = new Set(pending);
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const text = readFileSync(next, 'utf8');
    const { outputText } = ts.transpileModule(text, {
      compilerOptions: { target: ts.ScriptTarget.ES2023, module: ts.ModuleKind.ESNext },
    });
    const target = join(folder, relative(project, next)).replace(/\.ts$/, '.js');
    mkdirSync(dirname(target), { recursive: true });
    writeFileSync(target, outputText);
    for (const [, name = ''] of outputText.matchAll(/(?:from|import\() ?['"](\.[^'"]+)\.js['"]/g)) {
      const path = `${join(dirname(next), name)}.ts`;
      if (!seen.has(path) && existsSync(path)) pending.push(path);
      seen.add(path);
    }
    for (const [, name = ''] of outputText.matchAll(/new URL\(['"](\.[^'"]+\.wasm)['"]/g))
      copyFileSync(join(dirname(next), name), join(dirname(target), name));
  }
  return join(folder, entry).replace(/\.ts$/, '.js');
}
