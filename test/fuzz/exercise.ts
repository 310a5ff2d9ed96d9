import { type ByteSource, MemorySource } from '../../images/bytes/byte-source.js';
import { Pace } from '../../images/bytes/pace.js';
import { treeOfCpio } from '../../images/cpio/reader.js';
import { openExt2 } from '../../images/ext2/reader.js';
import { checkOpenGfs } from '../../images/gfs/check/check.js';
import { dialectGeometry, OPENGFS } from '../../images/gfs/dialect.js';
import { checkGfs2 } from '../../images/gfs/gfs2/check/check.js';
import { Gfs2Filesystem } from '../../images/gfs/gfs2/reader.js';
import { summariseGfs2 } from '../../images/gfs/gfs2/summary.js';
import { OpenGfsFilesystem } from '../../images/gfs/reader.js';
import { countBlocks } from '../../images/gfs/space.js';
import { summarise } from '../../images/gfs/summary.js';
import { readEnvelope } from '../../images/lock-table/envelope.js';
import { hasPoolLabel, openPool } from '../../images/pool/pool.js';
import { treeOfTar } from '../../images/tar/reader.js';
import { piecesOf } from '../../images/tree/content.js';
import type { Filesystem } from '../../images/tree/filesystem.js';
import { treeOfFilesystem } from '../../images/tree/from-filesystem.js';
import { listingObject } from '../../images/tree/listing.js';
import type { TreeNode } from '../../images/tree/node.js';
import type { Tree } from '../../images/tree/tree.js';
import { detectKind } from '../../pipelines/open-image.js';

/** Reads everything that can be read from some bytes. Throws a DiagnosticError on damage, and should nothing else. */
export async function exercise(bytes: Buffer): Promise<void> {
  let source: ByteSource = new MemorySource(bytes, 'fuzzed');
  if (hasPoolLabel(source)) source = openPool([source]);
  switch (detectKind(source)) {
    case 'opengfs':
      await attempt(() => summarise(source, new Pace()));
      await checkOpenGfs(source, { pace: new Pace() });
      await readFilesystem(new OpenGfsFilesystem(source));
      return;
    case 'gfs2':
      await attempt(() => summariseGfs2(source, new Pace()));
      await checkGfs2(source, { pace: new Pace() });
      await readFilesystem(new Gfs2Filesystem(source));
      return;
    case 'ext':
      await readFilesystem(openExt2(source));
      return;
    case 'tar':
      await readTree(await treeOfTar(source, new Pace()));
      return;
    case 'cpio':
      await readTree(await treeOfCpio(source, new Pace()));
      return;
    default:
      readEnvelope(source);
  }
}

async function readFilesystem(filesystem: Filesystem): Promise<void> {
  await readTree(await treeOfFilesystem(filesystem, new Pace()));
}

async function readTree(tree: Tree): Promise<void> {
  const seen = new Set<TreeNode>();
  for (const { path, node } of tree.entries()) {
    if (node.type !== 'directory') JSON.stringify(listingObject(path, node, 1));
    if (node.type !== 'file' || seen.has(node)) continue;
    seen.add(node);
    await attempt(async () => {
      for (const _ of piecesOf(node.content, node.size)) void _;
    });
  }
  await attempt(() => countBlocks(dialectGeometry(OPENGFS, 4096), tree, false, new Pace()));
}

/** A fault in one part does not keep the others from being read. */
async function attempt(body: () => Promise<unknown>): Promise<void> {
  try {
    await body();
  } catch (error) {
    if (!isDiagnostic(error)) throw error;
  }
}

export function isDiagnostic(error: unknown): boolean {
  return error instanceof Error && error.name === 'DiagnosticError';
}
