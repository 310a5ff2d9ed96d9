import { existsSync, readFileSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { canonicalJson, sha256 } from '../cache/canonical-json.js';

/** `import … from 'x'`, `export … from 'x'`, `import('x')`, `new URL('x', import.meta.url)`, as tsc and people write them. */
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
 * project, however far, and the versions of the libraries. Where the project lies does not matter.
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
    // Two modules that change places are another program.
    parts.add(`${relative(dirname(start), next)} ${module.digest}`);
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
  const bytes = readFileSync(path);
  const text = /\.[cm]?[jt]s$/.test(path) ? bytes.toString('utf8') : '';
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
  module = { digest: sha256(bytes), imports, libraries };
  modules.set(path, module);
  return module;
}

/** The file of an import: compiled code names what is there, sources name what will be. */
function resolveFile(path: string): string | undefined {
  return [path, path.replace(/\.js$/, '.ts')].find(
    (file) => statSync(file, { throwIfNoEntry: false })?.isFile() === true,
  );
}

function libraryVersion(name: string, importer: string): string {
  const library = name
    .split('/')
    .slice(0, name.startsWith('@') ? 2 : 1)
    .join('/');
  // Another folder may have another version of it.
  const place = `${dirname(importer)} ${library}`;
  let version = versions.get(place);
  if (version === undefined) {
    version = `${library}@${readVersion(library, importer)}`;
    versions.set(place, version);
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
