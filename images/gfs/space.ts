import type { Pace } from '../bytes/pace.js';
import { type BlockRun, dataRuns, RunBuffers, storedRuns } from '../tree/block-runs.js';
import type { DirectoryNode, FileNode } from '../tree/node.js';
import type { Tree } from '../tree/tree.js';
import { countTreeBlocks, heightFor } from './block-tree.js';
import { countLeafBlocks, planDirectory } from './directory-plan.js';
import type { Geometry } from './geometry.js';

/**
 * Blocks that a Tree takes in a filesystem of this geometry, the root's dinode (which is there already) left out.
 * `exact` reads every file to leave out blocks of zeros; otherwise whatever the sources store counts, which is
 * never too little.
 */
export async function countBlocks(
  geometry: Geometry,
  tree: Tree,
  exact: boolean,
  pace: Pace,
): Promise<number> {
  let total = directoryBlocks(geometry, tree.root);
  const buffers = exact ? new RunBuffers(geometry.blockSize) : undefined;
  for (const node of tree.nodes().keys()) {
    total += 1;
    if (node.type === 'directory') total += directoryBlocks(geometry, node);
    if (node.type === 'file') total += fileBlocks(geometry, node, buffers);
    if (pace.due()) await pace.breathe();
  }
  return total;
}

/** Blocks of a file besides its dinode; with `buffers` its content is read. */
function fileBlocks(geometry: Geometry, file: FileNode, buffers: RunBuffers | undefined): number {
  const height = heightFor(geometry, file.size, false);
  if (height === 0 || height === undefined) return 0;
  const { blockSize } = geometry;
  const runs =
    buffers !== undefined ? exactRuns(file, buffers) : storedRuns(file.content, file.size, blockSize);
  return countTreeBlocks(geometry, height, runs);
}

function* exactRuns(file: FileNode, buffers: RunBuffers): Generator<BlockRun> {
  for (const { logical, bytes } of dataRuns(file.content, file.size, buffers)) {
    yield { logical, count: bytes.length / buffers.blockSize };
  }
}

/** Leaves and hash-table blocks of a directory. */
function directoryBlocks(geometry: Geometry, directory: DirectoryNode): number {
  const plan = planDirectory(geometry, directory.entries.keys());
  if (plan.kind === 'linear') return 0;
  const tableBytes = 8 * 2 ** plan.depth;
  const height = heightFor(geometry, tableBytes, true) ?? 0;
  const table =
    height === 0
      ? 0
      : countTreeBlocks(geometry, height, [
          { logical: 0, count: Math.ceil(tableBytes / geometry.journaledBytes) },
        ]);
  return countLeafBlocks(plan) + table;
}
