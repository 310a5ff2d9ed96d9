import { beforeAll, expect, test } from 'vitest';
import { Pace } from '../../../../images/bytes/pace.js';
import { checkGfs2 } from '../../../../images/gfs/gfs2/check/check.js';
import { settleStatfs } from '../../../../images/gfs/gfs2/settle-statfs.js';
import { populate } from '../../../../images/gfs/writer.js';
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

describeWith(MKFS_GFS2_TOOLS, 'settling what statfs tells', () => {
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
    expect(await settleStatfs(image, pace)).toBe(false);
    expect(image.bytes.equals(good.bytes)).toBe(true);
  });

  test('a sum that is off, and what a node has counted, become what the groups have', async () => {
    const damage = new Gfs2Damage(good);
    const { statfs, nodes } = damage.files;
    damage.set(statfs, FREE, damage.get(statfs, FREE, 8) - 6, 8);
    damage.set(statfs, DINODES, damage.get(statfs, DINODES, 8) + 1, 8);
    damage.set(nodes[0]?.statfsChange ?? 0, FREE, 3, 8);
    expect(await faults(damage.image)).toEqual(['statfs-value', 'statfs-value']);
    expect(await settleStatfs(damage.image, pace)).toBe(true);
    expect(damage.image.bytes.equals(good.bytes)).toBe(true);
  });

  test('nothing is touched while a journal waits to be replayed', async () => {
    const damage = new Gfs2Damage(good);
    damage.setLogFlags(await damage.journalHead(), 0);
    damage.set(damage.files.statfs, FREE, 1, 8);
    const before = Buffer.from(damage.image.bytes);
    expect(await settleStatfs(damage.image, pace)).toBe(false);
    expect(damage.image.bytes.equals(before)).toBe(true);
  });

  test('a damaged group is a fault, and nothing is written', async () => {
    const damage = new Gfs2Damage(good);
    damage.set(damage.group().address, 28, 5);
    damage.set(damage.files.statfs, FREE, 1, 8);
    const before = Buffer.from(damage.image.bytes);
    await expect(settleStatfs(damage.image, pace)).rejects.toThrow('free blocks, its bitmap has');
    expect(damage.image.bytes.equals(before)).toBe(true);
  });
});
