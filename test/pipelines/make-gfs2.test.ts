import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { FileSource } from '../../images/bytes/byte-source.js';
import { Pace } from '../../images/bytes/pace.js';
import { sha256Of } from '../../images/tree/content.js';
import { type MakeGfs2Options, makeGfs2 } from '../../pipelines/make-gfs2.js';
import { FSCK_TOOLS } from '../support/fsck-gfs2.js';
import { MKFS_GFS2_TOOLS } from '../support/gfs2-image.js';
import { expectNoReports } from '../support/judge-gfs2.js';
import { temporaryFolder } from '../support/temporary.js';
import { describeWith, run } from '../support/tools.js';

const folder = temporaryFolder();
const MIB = 1024 ** 2;

const base: MakeGfs2Options = {
  size: 128 * MIB,
  lockProtocol: 'lock_dlm',
  lockTable: 'ssi:root',
  journals: 2,
  journalMiB: 8,
  blockSize: 4096,
  time: 1_030_000_000,
};

async function digestOfNew(name: string, options: MakeGfs2Options): Promise<string> {
  const image = join(folder, name);
  await makeGfs2(image, options, { pace: new Pace() });
  const source = new FileSource(image);
  const extents = () => [{ offset: 0, position: 0, length: source.size }];
  const digest = sha256Of({ kind: 'extents', source, extents }, source.size);
  source.close();
  return digest;
}

describeWith([...MKFS_GFS2_TOOLS, ...FSCK_TOOLS], 'an empty GFS2 filesystem', () => {
  test.each<[string, Partial<MakeGfs2Options>]>([
    ['the plain one', {}],
    ['blocks of 512 bytes, too small for a stuffed resource index', { blockSize: 512 }],
    ['blocks of 1024 bytes', { blockSize: 1024 }],
    ['blocks of 2048 bytes', { blockSize: 2048 }],
    ['15 journals', { journals: 15, size: 512 * MIB }],
    ['a hashed journal index', { journals: 20, size: 512 * MIB, blockSize: 1024 }],
    ['no cluster', { lockProtocol: 'lock_nolock' }],
    ['an odd size', { size: 200 * MIB + 12345 }],
    ['a uuid', { uuid: '1b4e28ba-2fa1-11d2-883f-b9a761bde3fb' }],
  ])(
    'has the same bytes whenever it is made: %s',
    async (name, options) => {
      const first = await digestOfNew(`${name} 1`, { ...base, ...options });
      // mkfs.gfs2 knows seconds only.
      await new Promise((resolve) => setTimeout(resolve, 1100));
      const second = await digestOfNew(`${name} 2`, { ...base, ...options });
      expect(second).toBe(first);
      await expectNoReports(join(folder, `${name} 1`));
    },
    120_000,
  );

  test('has the time, the UUID, the lock table and the size it is given', async () => {
    const uuid = '1b4e28ba-2fa1-11d2-883f-b9a761bde3fb';
    await digestOfNew('given', { ...base, uuid });
    const image = join(folder, 'given');
    expect(statSync(image).size).toBe(base.size);
    const superblock = run('gfs2_edit', ['-p', 'sb', image], { env: { TERM: 'dumb' } });
    expect(superblock).toContain(uuid);
    expect(superblock).toMatch(/sb_lockproto +lock_dlm\n/);
    expect(superblock).toMatch(/sb_locktable +ssi:root\n/);
    expect(run('gfs2_edit', ['-p', 'root', image], { env: { TERM: 'dumb' } })).toMatch(
      /di_mtime +1030000000 /,
    );
  });

  test('another option gives another UUID', async () => {
    expect(await digestOfNew('a', base)).not.toBe(
      await digestOfNew('b', { ...base, lockTable: 'ssi:other' }),
    );
  });

  test.each<[string, Partial<MakeGfs2Options>, RegExp]>([
    ['a journal that is too small', { journalMiB: 4 }, /mkfs\.gfs2 failed .*[Jj]ournal/],
    ['no room for the journals', { journals: 50 }, /mkfs\.gfs2 failed [\s\S]*fewer or smaller journals/],
    ['a lock table that mkfs.gfs2 does not know', { lockTable: 'nocolon' }, /mkfs\.gfs2 failed/],
    ['a lock table that looks like an option', { lockTable: '-h' }, /lock table/],
    ['a lock protocol that nobody knows', { lockProtocol: 'memexp' }, /mkfs\.gfs2 failed/],
  ])('%s is refused, and nothing stays', async (name, options, message) => {
    const image = join(folder, name);
    await expect(makeGfs2(image, { ...base, ...options }, { pace: new Pace() })).rejects.toThrow(message);
    expect(existsSync(image)).toBe(false);
  });

  test('an existing file is not touched', async () => {
    await digestOfNew('existing', base);
    const before = statSync(join(folder, 'existing')).mtimeMs;
    await expect(makeGfs2(join(folder, 'existing'), base, { pace: new Pace() })).rejects.toThrow(/exist/);
    expect(statSync(join(folder, 'existing')).mtimeMs).toBe(before);
  });
});
