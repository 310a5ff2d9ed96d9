import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { canonicalJson, type JsonValue } from '../cache/canonical-json.js';

/** A file of a build. */
export interface OutputFile {
  readonly name: string;
  /** Length in bytes. */
  readonly size: number;
  readonly sha256: string;
  /** Bytes that it takes on the disk: holes take none. */
  readonly allocated: number;
}

export interface ManifestStage {
  readonly name: string;
  readonly key: string;
  readonly artifacts: Readonly<Record<string, { readonly sha256: string; readonly size: number }>>;
  readonly facts: JsonValue;
}

/** What a build was made from and what it made. No times and no paths of this host: the same build gives the same. */
export interface Manifest {
  readonly format: 1;
  readonly generator: string;
  readonly recipe: { readonly name: string; readonly summary: string; readonly epoch: number };
  readonly stages: readonly ManifestStage[];
  readonly outputs: readonly OutputFile[];
  readonly notes: readonly string[];
}

export const MANIFEST_NAME = 'manifest.json';
export const SUMS_NAME = 'SHA256SUMS';
const MANIFEST_BYTES_MAX = 16 * 1024 * 1024;

export function printManifest(manifest: Manifest): string {
  return `${JSON.stringify(JSON.parse(canonicalJson(manifest as unknown as JsonValue)), null, 2)}\n`;
}

/** The manifest of an output folder; undefined when it has none that can be read. */
export function readManifest(folder: string): Manifest | undefined {
  const path = join(folder, MANIFEST_NAME);
  try {
    const status = statSync(path);
    if (!status.isFile() || status.size > MANIFEST_BYTES_MAX) return undefined;
    const manifest = JSON.parse(readFileSync(path, 'utf8')) as Manifest;
    return manifest.format === 1 && Array.isArray(manifest.outputs) && manifest.outputs.every(isOutputFile)
      ? manifest
      : undefined;
  } catch {
    return undefined;
  }
}

/** A manifest may have been edited: its names become paths. */
function isOutputFile(output: unknown): output is OutputFile {
  if (typeof output !== 'object' || output === null) return false;
  const { name, size, sha256, allocated } = output as Partial<Record<keyof OutputFile, unknown>>;
  return (
    typeof name === 'string' &&
    !/^\.{0,2}$|[/\0]/.test(name) &&
    typeof sha256 === 'string' &&
    Number.isSafeInteger(size) &&
    Number.isSafeInteger(allocated)
  );
}

/** The lines that `sha256sum -c` takes. */
export function printSums(outputs: readonly OutputFile[]): string {
  return outputs.map(({ name, sha256 }) => `${sha256}  ${name}\n`).join('');
}
