import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { canonicalJson, sha256 } from '../cache/canonical-json.js';

/** `import … from 'x'`, `export … from 'x'`, `import('x')` and `new URL('x', import.meta.url)`, as tsc and people write them. */
const IMPORTS =
  /(?:\bfrom\s*|\bimport\s*\(?\s*)(['"])([^'"\n]+)\1|new URL\(\s*(['"])([^'"\n]+)\3\s*,\s*import\.meta\.url/g;

interface Module {
  readonly digest: string;
  /** Files of the project. */
  readonly imports: readonly string[];
  /** `name@version` of libraries. */
  readonly libraries: readonly string[];
}

const modules = new Map<string, Module>();
const digests = new Map<string, string>();
const versions = new Map<string, string>();

/**
 * Digest of the code that a module's behaviour depends on: its own text, that of everything it imports from this
 * project, however far, and the versions of the libraries.
 */
export function codeDigest(moduleUrl: string): string {
  const path = fileURLToPath(moduleUrl);
  const start = resolveFile(path) ?? path;
  let digest = digests.get(start);
  if (digest === undefined) {
    digest = closureDigest(start);
    digests.set(start, digest);
  }
  return digest;
}

function closureDigest(start: string): string {
  const seen = new Set([start]);
  const pending = [start];
  const parts = new Set<string>();
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const module = read(next);
    parts.add(module.digest);
    for (const library of module.libraries) parts.add(library);
    for (const path of module.imports) {
      if (seen.has(path)) continue;
      seen.add(path);
      pending.push(path);
    }
  }
  return sha256(canonicalJson([...parts].sort()));
}

function read(path: string): Module {
  let module = modules.get(path);
  if (module !== undefined) return module;
  const text = readFileSync(path, 'utf8');
  const imports: string[] = [];
  const libraries: string[] = [];
  for (const match of text.matchAll(IMPORTS)) {
    const name = match[2] ?? match[4] ?? '';
    if (name.startsWith('.')) {
      const file = resolveFile(join(dirname(path), name));
      if (file !== undefined) imports.push(file);
    } else if (!name.startsWith('node:')) {
      libraries.push(libraryVersion(name, path));
    }
  }
  module = { digest: sha256(text), imports, libraries };
  modules.set(path, module);
  return module;
}

/** The file of an import: compiled code names what is there, sources name what will be. */
function resolveFile(path: string): string | undefined {
  if (existsSync(path)) return path;
  const source = path.replace(/\.js$/, '.ts');
  return existsSync(source) ? source : undefined;
}

function libraryVersion(name: string, importer: string): string {
  const library = name.split('/').slice(0, name.startsWith('@') ? 2 : 1).join('/');
  let version = versions.get(library);
  if (version === undefined) {
    version = `${library}@${readVersion(library, importer)}`;
    versions.set(library, version);
  }
  return version;
}

function readVersion(library: string, importer: string): string {
  for (const folder of createRequire(importer).resolve.paths(library) ?? []) {
    const file = join(folder, library, 'package.json');
    if (!existsSync(file)) continue;
    return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
  }
  return 'missing';
}
