import { cpSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Pace } from '../../images/bytes/pace.js';
import { treeOfDirectory } from '../../images/tree/from-directory.js';
import type { LeafNode, TreeNode } from '../../images/tree/node.js';
import type { Tree } from '../../images/tree/tree.js';
import { TreeBuilder } from '../../images/tree/tree-builder.js';
import { withLoopMount } from './loop-mount.js';
import { findTool, run } from './tools.js';

/** What `withHowtoRoot` needs on the host besides a loop device, for `testWith`. */
export const HOWTO_TOOLS: readonly string[] = ['make', 'sed', 'bzip2', 'dd', 'losetup'];

export const SAMPLE_TOOLS = fileURLToPath(new URL('../../recipes/sample/cluster-tools', import.meta.url));
const SCRIPT = fileURLToPath(new URL('../fixtures/howto-root.sh', import.meta.url));

export interface HowtoRoot {
  /** The base, a compressed ext2 image. */
  readonly base: string;
  /** Make rule of the sample's cluster tools. */
  readonly rule: string;
  /** An existing folder for the image and the mount point. */
  readonly folder: string;
  /** The clock of the build that is compared, in seconds since 1970. */
  readonly epoch: number;
  /** What else is done to the mounted root. */
  readonly also?: (root: string) => void;
}

/**
 * Builds a root the HOWTO's way (5.1, 5.4, 5.6): decodes the base, mounts it through a loop device, and does what
 * `howto-root.sh` says, as root. While it is mounted `body` gets it as the kernel shows it, but for one thing: what
 * the commands made or changed has the clock of the build instead of the time of day.
 */
export async function withHowtoRoot(
  { base, rule, folder, epoch, also }: HowtoRoot,
  body: (root: Tree) => Promise<void>,
): Promise<void> {
  const image = join(folder, 'howto.ext2');
  const tools = join(folder, 'cluster-tools');
  const mountPoint = join(folder, 'howto');
  mkdirSync(folder, { recursive: true });
  decode(base, image);
  cpSync(SAMPLE_TOOLS, tools, { recursive: true });
  try {
    await withLoopMount(
      image,
      mountPoint,
      async () => {
        const begun = Math.floor(Date.now() / 1000);
        run('sh', [SCRIPT, rule, tools, mountPoint]);
        also?.(mountPoint);
        await body(withTime(await treeOfDirectory(mountPoint, new Pace()), begun, epoch));
      },
      'rw',
    );
  } finally {
    rmSync(image);
    rmSync(tools, { recursive: true });
  }
}

/** `bunzip2 -c root_fs.bz2 >root_fs.ext2`, with holes. */
export function decode(from: string, to: string): void {
  const decoder = findTool('lbzip2') ?? 'bzip2';
  const command = '"$1" -dc < "$2" | dd of="$3" bs=1M iflag=fullblock conv=sparse status=none';
  run('sh', ['-c', command, 'sh', decoder, from, to]);
}

/** A copy in which everything of `begun` or later is of `epoch`. */
function withTime(tree: Tree, begun: number, epoch: number): Tree {
  const timed = <T extends TreeNode>(node: T): T =>
    node.mtime.seconds < begun ? node : { ...node, mtime: { seconds: epoch, nanoseconds: 0 } };
  const copies = new Map<LeafNode, LeafNode>();
  const builder = new TreeBuilder(timed(tree.root), tree.fidelity);
  for (const { path, node } of tree.entries()) {
    if (node.type === 'directory') {
      builder.directory(path, timed(node));
      continue;
    }
    // Names of one file stay that.
    const copy = copies.get(node) ?? timed(node);
    copies.set(node, copy);
    builder.put(path, copy);
  }
  return builder.build();
}
