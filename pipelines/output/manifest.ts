import { readFileSync } from 'node:fs';
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
  try {
    const text = readFileSync(join(folder, MANIFEST_NAME), 'utf8');
    if (text.length > MANIFEST_BYTES_MAX) return undefined;
    const manifest = JSON.parse(text) as Manifest;
    const isOurs =
      manifest.format === 1 &&
      Array.isArray(manifest.outputs) &&
      manifest.outputs.every(
        ({ name, sha256 }) => typeof name === 'string' && !name.includes('/') && typeof sha256 === 'string',
      );
    return isOurs ? manifest : undefined;
  } catch {
    return undefined;
  }
}

/** The lines that `sha256sum -c` takes. */
export function printSums(outputs: readonly OutputFile[]): string {
  return outputs.map(({ name, sha256 }) => `${sha256}  ${name}\n`).join('');
}
