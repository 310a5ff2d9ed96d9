import type { Pace } from '../bytes/pace.js';
import { type BlockRun, dataRuns, RunBuffers, storedRuns } from '../tree/block-runs.js';
import type { FileNode, TreeNode } from '../tree/node.js';
import { sortedNames } from '../tree/tree.js';
import { BlockMapWriter } from './block-map-writer.js';
import { countDirectoryBlocks } from './directory-writer.js';
import { ATTRIBUTE_REFERENCES_MAX, type Ext2Plan, isFastSymlink } from './plan.js';

/**
 * Blocks that the content of a Tree takes: directories, data, pointers to it, long symbolic links, attributes.
 * `exact` reads every file to leave out blocks of zeros, as the writer does; otherwise whatever the sources store
 * counts, which is never too little.
 */
export async function countContentBlocks(
  plan: Ext2Plan,
  blockSize: number,
  exact: boolean,
  pace: Pace,
): Promise<number> {
  const counter = new Counter(blockSize, exact, pace);
  let total = 0;
  for (const uses of plan.attributeUses.values()) total += Math.ceil(uses / ATTRIBUTE_REFERENCES_MAX);
  for (const node of plan.numbers.keys()) {
    total += await counter.blocksOf(node);
    if (pace.due()) await pace.breathe();
  }
  return total;
}

class Counter {
  private readonly map: BlockMapWriter;
  private readonly buffers: RunBuffers | undefined;

  constructor(
    private readonly blockSize: number,
    exact: boolean,
    private readonly pace: Pace,
  ) {
    this.map = new BlockMapWriter(blockSize, { allocate: () => 0, write: () => {} });
    this.buffers = exact ? new RunBuffers(blockSize) : undefined;
  }

  async blocksOf(node: TreeNode): Promise<number> {
    switch (node.type) {
      case 'directory': {
        const count = countDirectoryBlocks(sortedNames(node), this.blockSize);
        return this.withPointers([{ logical: 0, count }]);
      }
      case 'file':
        return this.withPointers(this.runsOf(node));
      case 'symlink':
        return isFastSymlink(node.target) ? 0 : 1;
      default:
        return 0;
    }
  }

  private *runsOf({ content, size }: FileNode): Generator<BlockRun> {
    if (this.buffers === undefined) yield* storedRuns(content, size, this.blockSize);
    else {
      for (const { logical, bytes } of dataRuns(content, size, this.buffers))
        yield { logical, count: bytes.length / this.blockSize };
    }
  }

  /** The blocks of some runs with those of the pointers to them. */
  private async withPointers(runs: Iterable<BlockRun>): Promise<number> {
    this.map.begin();
    let blocks = 0;
    for (const { logical, count } of runs) {
      for (let done = 0; done < count; ) {
        done += Math.min(count - done, this.map.prepare(logical + done));
        if (this.pace.due()) await this.pace.breathe();
      }
      blocks += count;
    }
    return blocks + this.map.pointerBlocks;
  }
}
