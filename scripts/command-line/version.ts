import { existsSync, readFileSync } from 'node:fs';

/** The version of this program. */
export function packageVersion(): string {
  // Compiled code lies one folder deeper than its source.
  const [file] = ['../../package.json', '../../../package.json']
    .map((path) => new URL(path, import.meta.url))
    .filter((url) => existsSync(url));
  if (file === undefined) return 'unknown';
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
}

/** Name and version, for what is made. */
export function generatorName(): string {
  return `ssi-images ${packageVersion()}`;
}
