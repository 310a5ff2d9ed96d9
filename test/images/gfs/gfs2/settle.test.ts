import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { Pace } from '../../../../images/bytes/pace.js';
import { checkGfs2 } from '../../../../images/gfs/gfs2/check/check.js';
import { settleGfs2 } from '../../../../images/gfs/gfs2/settle.js';
import { populate } from '../../../../images/gfs/writer.js';
import { checkAfterCrash } from '../../../support/fsck-after-crash.js';
import { MKFS_GFS2_TOOLS } from '../../../support/gfs2-image.js';
import { temporaryFolder } from '../../../support/temporary.js';
import { describeWith } from '../../../support/tools.js';
import type { MemoryImage } from '../check/memory-image.js';
import { richTree } from '../check/rich-tree.js';
import { Gfs2Damage } from './damage.js';
import { makeGfs2Image } from './memory-image.js';

const pace = new Pace();
/** Where the numbers of a statfs file lie in the block of its dinode (docs/gfs2-format.md §6). */
const FREE = 232 + 8;
const DINODES = 232 + 16;

describeWith([...MKFS_GFS2_TOOLS, 'fsck.gfs2'], 'settling what a crash leaves', () => {
  const folder = temporaryFolder();
  let good: MemoryImage;

  beforeAll(async () => {
    good = await makeGfs2Image(folder, { mebibytes: 32 });
    await populate(good, richTree(1024), { pace });
  });

  async function faults(image: MemoryImage): Promise<string[]> {
    return (await checkGfs2(image.source, { pace })).faults.map(({ rule }) => rule);
  }

  test('a sum that is right stays as it is', async () => {
    const { image } = new Gfs2Damage(good);
    expect(await settleGfs2(image, true, pace)).toEqual({ freed: 0, statfs: false });
    expect(image.bytes.equals(good.bytes)).toBe(true);
  });

  test('a sum that is off, and what a node has counted, become what the groups have', async () => {
    const damage = new Gfs2Damage(good);
    const { statfs, nodes } = damage.files;
    damage.set(statfs, FREE, damage.get(statfs, FREE, 8) - 6, 8);
    damage.set(statfs, DINODES, damage.get(statfs, DINODES, 8) + 1, 8);
    damage.set(nodes[0]?.statfsChange ?? 0, FREE, 3, 8);
    expect(await faults(damage.image)).toEqual(['statfs-value', 'statfs-value']);
    expect(await settleGfs2(damage.image, false, pace)).toEqual({ freed: 0, statfs: true });
    expect(damage.image.bytes.equals(good.bytes)).toBe(true);
  });

  /** Takes a free block for an inode, as a node does that dies before it writes the inode. */
  function loseBlock(damage: Gfs2Damage): number {
    const block = damage.freeBlock();
    const group = damage.groupOf(block);
    damage.setState(block, 3);
    damage.add(group.address, 28, -1);
    damage.add(group.address, 32, 1);
    damage.sign(group);
    damage.add(damage.files.statfs, FREE, -1, 8);
    damage.add(damage.files.statfs, DINODES, 1, 8);
    return block;
  }

  test('a block that was taken for an inode is free again, and fsck.gfs2 has nothing to say', async () => {
    const damage = new Gfs2Damage(good);
    const block = loseBlock(damage);
    expect(await faults(damage.image)).toEqual(['block-leak']);
    const image = join(folder, 'lost');
    writeFileSync(image, damage.image.bytes);
    expect(checkAfterCrash(image)).toEqual({ faults: [], lostBlocks: [block] });
    expect(await settleGfs2(damage.image, false, pace)).toEqual({ freed: 0, statfs: false });
    expect(await settleGfs2(damage.image, true, pace)).toEqual({ freed: 1, statfs: false });
    expect(damage.image.bytes.equals(good.bytes)).toBe(true);
    writeFileSync(image, damage.image.bytes);
    expect(checkAfterCrash(image)).toEqual({ faults: [], lostBlocks: [] });
  });

  test('one with an inode in it, or beside another fault, is left to fsck.gfs2', async () => {
    const orphan = new Gfs2Damage(good);
    const block = loseBlock(orphan);
    orphan.block(orphan.root).copy(orphan.block(block));
    expect(await settleGfs2(orphan.image, true, pace)).toEqual({ freed: 0, statfs: false });
    const used = new Gfs2Damage(good);
    used.setState(loseBlock(used), 1);
    used.add(used.groupOf(used.freeBlock()).address, 32, -1);
    used.sign(used.groupOf(used.freeBlock()));
    used.add(used.files.statfs, DINODES, -1, 8);
    expect(await faults(used.image)).toEqual(['block-leak']);
    expect(await settleGfs2(used.image, true, pace)).toEqual({ freed: 0, statfs: false });
  });

  test('nothing is touched while a journal waits to be replayed', async () => {
    const damage = new Gfs2Damage(good);
    damage.setLogFlags(await damage.journalHead(), 0);
    damage.set(damage.files.statfs, FREE, 1, 8);
    const before = Buffer.from(damage.image.bytes);
    expect(await settleGfs2(damage.image, true, pace)).toEqual({ freed: 0, statfs: false });
    expect(damage.image.bytes.equals(before)).toBe(true);
  });

  test('a damaged group is a fault, and nothing is written', async () => {
    const damage = new Gfs2Damage(good);
    damage.set(damage.group().address, 28, 5);
    damage.set(damage.files.statfs, FREE, 1, 8);
    const before = Buffer.from(damage.image.bytes);
    await expect(settleGfs2(damage.image, true, pace)).rejects.toThrow('free blocks, its bitmap has');
    expect(damage.image.bytes.equals(before)).toBe(true);
  });
});
