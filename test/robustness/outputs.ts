import { createHash } from 'node:crypto';
import { closeSync, openSync, readdirSync, readFileSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { MANIFEST_NAME, type Manifest, SUMS_NAME } from '../../pipelines/output/manifest.js';

/** What an undisturbed build leaves in its output folder. */
export interface Outputs {
  /** The text of SHA256SUMS. */
  readonly sums: string;
  /** The manifest without what depends on the disk. */
  readonly manifest: string;
}

/** Reads a set of outputs that is known to be right. */
export function readOutputs(folder: string): Outputs {
  const sums = readFileSync(join(folder, SUMS_NAME), 'utf8');
  return { sums, manifest: plainManifest(readFileSync(join(folder, MANIFEST_NAME), 'utf8')) };
}

/** How many bytes a file takes is the filesystem's affair, and in which sandbox make ran is the host's. */
function plainManifest(text: string): string {
  const manifest = JSON.parse(text) as Manifest;
  return JSON.stringify({
    ...manifest,
    stages: manifest.stages.map(({ facts, ...rest }) =>
      rest.name === 'cluster-tools' ? rest : { ...rest, facts },
    ),
    outputs: manifest.outputs.map(({ allocated: _allocated, ...rest }) => rest),
  });
}

/** What is wrong with an output folder that should hold just these outputs; undefined when nothing is. */
export function faultOfOutputs(folder: string, expected: Outputs): string | undefined {
  let names: string[];
  try {
    names = readdirSync(folder);
  } catch {
    return 'there is no output folder';
  }
  const wanted = new Map(expected.sums.split('\n').map((line) => [line.slice(66), line.slice(0, 64)]));
  wanted.delete('');
  const allowed = [...wanted.keys(), SUMS_NAME, MANIFEST_NAME];
  const foreign = names.filter((name) => !allowed.includes(name));
  if (foreign.length > 0) return `it holds ${foreign.join(', ')}`;
  const missing = allowed.filter((name) => !names.includes(name));
  if (missing.length > 0) return `it lacks ${missing.join(', ')}`;
  if (readFileSync(join(folder, SUMS_NAME), 'utf8') !== expected.sums)
    return `${SUMS_NAME} has other digests`;
  for (const [name, sha256] of wanted)
    if (digestOf(join(folder, name)) !== sha256) return `${name} does not have its digest`;
  if (plainManifest(readFileSync(join(folder, MANIFEST_NAME), 'utf8')) !== expected.manifest)
    return `${MANIFEST_NAME} says something else`;
  return undefined;
}

const PIECE_BYTES = 1024 * 1024;

/** Digest of a file by this program's own means: the project's are what is tested. */
function digestOf(path: string): string {
  const hash = createHash('sha256');
  const piece = Buffer.allocUnsafe(PIECE_BYTES);
  const file = openSync(path, 'r');
  try {
    for (let count = readSync(file, piece); count > 0; count = readSync(file, piece))
      hash.update(piece.subarray(0, count));
  } finally {
    closeSync(file);
  }
  return hash.digest('hex');
}
