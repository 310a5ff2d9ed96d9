import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

const root = fileURLToPath(new URL('../../../', import.meta.url));

/**
 * Compiles a module of the project and what it imports into a folder, for a child process of its own. The tests of
 * this folder do not lean on a build that may be older than the source. Returns the path of the compiled module.
 */
export function compiled(module: string, folder: string): string {
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
  writeFileSync(join(folder, 'package.json'), '{"type": "module"}');
  const waiting = [join(root, module)];
  const done = new Set<string>();
  const target = (source: string): string => join(folder, relative(root, source)).replace(/\.ts$/, '.js');
  for (let source = waiting.pop(); source !== undefined; source = waiting.pop()) {
    if (done.has(source)) continue;
    done.add(source);
    const text = readFileSync(source, 'utf8');
    const { outputText } = ts.transpileModule(text, {
      compilerOptions: {
        target: ts.ScriptTarget.ES2023,
        module: ts.ModuleKind.ESNext,
        verbatimModuleSyntax: true,
      },
    });
    mkdirSync(dirname(target(source)), { recursive: true });
    writeFileSync(target(source), outputText);
    for (const { fileName } of ts.preProcessFile(text).importedFiles) {
      if (fileName.startsWith('.')) waiting.push(join(dirname(source), fileName.replace(/\.js$/, '.ts')));
    }
  }
  return target(join(root, module));
}
