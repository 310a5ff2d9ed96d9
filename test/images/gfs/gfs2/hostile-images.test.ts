import { beforeAll, expect, test } from 'vitest';
import { MemorySource } from '../../../../images/bytes/byte-source.js';
import { Pace } from '../../../../images/bytes/pace.js';
import { DiagnosticError } from '../../../../images/diagnostic.js';
import { checkGfs2 } from '../../../../images/gfs/gfs2/check/check.js';
import { gfs2Rules } from '../../../../images/gfs/gfs2/check/rules.js';
import { Gfs2Filesystem } from '../../../../images/gfs/gfs2/reader.js';
import { summariseGfs2 } from '../../../../images/gfs/gfs2/summary.js';
import { populate } from '../../../../images/gfs/writer.js';
import { piecesOf } from '../../../../images/tree/content.js';
import { treeOfFilesystem } from '../../../../images/tree/from-filesystem.js';
import { TreeBuilder } from '../../../../images/tree/tree-builder.js';
import { hotPieces, mutate } from '../../../fuzz/mutate.js';
import { Random } from '../../../fuzz/random.js';
import { MKFS_GFS2_TOOLS } from '../../../support/gfs2-image.js';
import { rounds } from '../../../support/rounds.js';
import { temporaryFolder } from '../../../support/temporary.js';
import { describeWith } from '../../../support/tools.js';
import { MemoryImage } from '../check/memory-image.js';
import { Gfs2Damage } from './damage.js';
import { makeGfs2Image } from './memory-image.js';
import { gfs2Subject } from './subject.js';

const folder = temporaryFolder();
const MUTATIONS = rounds(150, 400);
const MILLISECONDS_MAX = 2000;

/** Runs what may throw nothing but a DiagnosticError. Returns whether it threw one. */
async function throwsDiagnostic(work: () => Promise<unknown>): Promise<boolean> {
  try {
    await work();
    return false;
  } catch (error) {
    if (!(error instanceof DiagnosticError)) throw error;
    return true;
  }
}

/** All that is done with an image of unknown origin, each within the time that it may take. */
async function exercise(bytes: Buffer): Promise<{ faults: number; unreadable: boolean }> {
  const source = new MemorySource(bytes, 'image');
  const pace = new Pace();
  const started = performance.now();
  const { faults } = await checkGfs2(source, { pace, quotaValues: true });
  for (const { rule, message } of faults) {
    expect(gfs2Rules).toHaveProperty(rule);
    expect(message).not.toMatch(/undefined|NaN|\[object/);
  }
  const unreadable = await throwsDiagnostic(async () => {
    const tree = await treeOfFilesystem(new Gfs2Filesystem(source), pace);
    for (const { node } of tree.entries()) {
      if (node.type !== 'file' || node.size > bytes.length) continue;
      for (const _ of piecesOf(node.content, node.size));
    }
  });
  await throwsDiagnostic(() => summariseGfs2(source, pace));
  const image = new MemoryImage(bytes);
  // It is not empty, so that nothing is written whatever else it says.
  const untouched = { source, sink: { ...image.sink, write: () => expect.unreachable() } };
  await throwsDiagnostic(() => populate(untouched, new TreeBuilder().build(), { pace }));
  expect(performance.now() - started).toBeLessThan(MILLISECONDS_MAX);
  return { faults: faults.length, unreadable };
}

describeWith(MKFS_GFS2_TOOLS, 'hostile GFS2 images', () => {
  let good: MemoryImage;

  beforeAll(async () => {
    good = await makeGfs2Image(folder, {}, gfs2Subject(false));
  });

  test(`${MUTATIONS} mutations: never anything but a diagnostic, and never long`, async () => {
    const bytes = Buffer.from(good.bytes);
    // The journal is most of the image and would get most of the mutations.
    const [journal = 0] = new Gfs2Damage(good).files.journals;
    const hot = hotPieces(bytes).filter(
      (piece) => piece < journal * 1024 || piece > (journal + 8192) * 1024 + 100 * 1024,
    );
    const random = new Random(1);
    let found = 0;
    for (let count = 0; count < MUTATIONS; count++) {
      const mutation = mutate(bytes, hot, random);
      const { faults, unreadable } = await exercise(mutation.bytes);
      if (faults > 0) found += 1;
      else expect(unreadable).toBe(false);
      mutation.undo();
    }
    expect(bytes.equals(good.bytes)).toBe(true);
    expect(await exercise(bytes)).toEqual({ faults: 0, unreadable: false });
    expect(found).toBeGreaterThan(MUTATIONS / 4);
  }, 300_000);

  test.each([0, 511, 65536, 65536 + 271, 65536 + 272, 65536 + 1024, 200_000])(
    'an image cut after %i bytes',
    async (length) => {
      expect((await exercise(Buffer.from(good.bytes.subarray(0, length)))).faults).toBeGreaterThan(0);
    },
  );

  test('one block of attributes for very many inodes', async () => {
    const damage = new Gfs2Damage(good);
    const block = damage.attributes('/large-attribute');
    for (let index = 0; index < 60; index++) damage.set(damage.inode(`/hashed/name-${index}`), 168, block, 8);
    const filesystem = new Gfs2Filesystem(damage.image.source);
    await expect(treeOfFilesystem(filesystem, new Pace())).rejects.toThrow(/used twice/);
  });

  test('blocks of attributes that point at themselves', async () => {
    const damage = new Gfs2Damage(good);
    const block = damage.attributes('/many-attributes');
    for (let offset = 24; offset < 1024; offset += 8) damage.set(block, offset, block, 8);
    const { faults, unreadable } = await exercise(damage.image.bytes);
    expect(faults).toBeGreaterThan(0);
    expect(unreadable).toBe(true);
  });

  test('one indirect block under every pointer, ten levels high', async () => {
    const damage = new Gfs2Damage(good);
    const inode = damage.inode('/tall');
    const indirect = damage.target(inode);
    damage.set(inode, 138, 10, 2);
    for (let offset = 232; offset < 1024; offset += 8) damage.set(inode, offset, indirect, 8);
    for (let offset = 24; offset < 1024; offset += 8) damage.set(indirect, offset, indirect, 8);
    expect((await exercise(damage.image.bytes)).faults).toBeGreaterThan(0);
  });

  test('a quota file of very many records', async () => {
    const damage = new Gfs2Damage(good);
    damage.set(damage.files.quota, 56, 88 * 2 ** 40, 8);
    damage.set(damage.files.quota, 138, 7, 2);
    expect((await exercise(damage.image.bytes)).faults).toBeGreaterThan(0);
  });
});
