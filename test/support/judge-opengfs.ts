import { rmSync } from 'node:fs';
import { expect } from 'vitest';
import { OPENGFS_FIDELITY } from '../../images/gfs/reader.js';
import { Tree } from '../../images/tree/tree.js';
import { compareListings } from './compare-listings.js';
import { FSCK_TOOLS, judgeOpenGfs } from './fsck-gfs2.js';
import { CONVERT_TOOLS, convertCopy } from './gfs2-convert.js';
import { ssiImage } from './ssi-image.js';
import { listThroughKernel, UML_MOUNT_TOOLS } from './uml-mount.js';

/** What `expectAccepted` needs on the host, for `testWith`. */
export const JUDGE_TOOLS: readonly string[] = [...FSCK_TOOLS, ...CONVERT_TOOLS, ...UML_MOUNT_TOOLS];

export interface Judgement {
  readonly image: string;
  /** What the image should hold. */
  readonly tree: Tree;
  readonly scratch: string;
  /** Files above this are read in part only by the kernel. */
  readonly wholeFilesUpTo?: number;
}

/**
 * Every judge in turn: our fsck, fsck.gfs2 -n, gfs2_convert on a copy, and the gfs2 module of the kernel, through
 * which every name, attribute and content must be that of the Tree.
 */
export async function expectAccepted({ image, tree, scratch, wholeFilesUpTo }: Judgement): Promise<void> {
  const own = ssiImage(['fsck', image]);
  expect(own.stdout + own.stderr).toMatch(/: clean, /);
  expect(own.status).toBe(0);
  expect(judgeOpenGfs(image).unexpected).toEqual([]);
  const converted = convertCopy(image, scratch);
  const listing = await listThroughKernel(converted, {
    readOnly: true,
    fsType: 'gfs2',
    mountOptions: 'lockproto=lock_nolock',
    timeout: 600_000,
    scratch,
    ...(wholeFilesUpTo === undefined ? {} : { wholeFilesUpTo }),
  });
  rmSync(converted);
  expect(listing.size).toBe([...tree.entries()].length);
  expect(compareListings(new Tree(tree.root, OPENGFS_FIDELITY), listing).slice(0, 20)).toEqual([]);
}
