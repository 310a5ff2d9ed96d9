import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

const PROJECT = fileURLToPath(new URL('../../..', import.meta.url));
const FOLDERS = ['images', 'pipelines', 'test/pipelines/cluster-tools'];

/** What a process of another user runs. */
const PROGRAM = fileURLToPath(new URL('./install-and-list.ts', import.meta.url));

/** Compiles what installing needs into `folder`, so that another process can run it. Returns the program's path. */
export function compileInto(folder: string): string {
  for (const from of FOLDERS) {
    for (const name of readdirSync(join(PROJECT, from), { recursive: true, encoding: 'utf8' })) {
      if (!name.endsWith('.ts') || name.endsWith('.d.ts') || name.endsWith('.test.ts')) continue;
      const target = join(folder, from, name.replace(/\.ts$/, '.js'));
      const { outputText } = ts.transpileModule(readFileSync(join(PROJECT, from, name), 'utf8'), {
        compilerOptions: {
          target: ts.ScriptTarget.ES2023,
          module: ts.ModuleKind.ESNext,
          verbatimModuleSyntax: true,
        },
      });
      mkdirSync(dirname(target), { recursive: true });
      writeFileSync(target, outputText);
    }
  }
  writeFileSync(join(folder, 'package.json'), '{"type": "module"}');
  symlinkSync(join(PROJECT, 'node_modules'), join(folder, 'node_modules'));
  return join(folder, relative(PROJECT, PROGRAM)).replace(/\.ts$/, '.js');
}
