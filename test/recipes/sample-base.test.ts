import { createReadStream, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import unbzip2 from 'unbzip2-stream';
import { beforeAll, describe, expect, test } from 'vitest';
import { readContent } from '../../images/tree/content.js';
import type { Tree } from '../../images/tree/tree.js';
import { makeBaseImage } from '../../scripts/samples/base-image.js';
import { baseTree } from '../../scripts/samples/base-tree.js';
import { readDescription } from '../../scripts/samples/description.js';
import { withExt2Tree } from '../support/ext2-image.js';
import { temporaryFolder } from '../support/temporary.js';
import { describeWith, run, testWith } from '../support/tools.js';
import { differencesOf } from '../support/tree-of.js';

const folder = temporaryFolder();
const image = join(folder, 'base.ext2');
const sample = fileURLToPath(new URL('../../recipes/sample', import.meta.url));
const tree = baseTree(join(sample, 'base'), readDescription(join(sample, 'base')));

beforeAll(async () => {
  await makeBaseImage(sample, image);
});

function textAt(path: string): string {
  const node = tree.get(path);
  if (node?.type !== 'file') throw new Error(`${path} is no file`);
  return readContent(node.content, node.size).toString();
}

function decompressed(path: string): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const pieces: Buffer[] = [];
    const stream = createReadStream(path).on('error', reject).pipe(unbzip2());
    stream.on('data', (piece: Buffer) => pieces.push(piece));
    stream.on('end', () => resolve(Buffer.concat(pieces)));
    stream.on('error', reject);
  });
}

describe('the image of the sample in the repository', () => {
  const packed = join(sample, 'base.ext2.bz2');

  test('is what npm run samples makes', async () => {
    // Not with toEqual: it would print both.
    expect((await decompressed(packed)).equals(readFileSync(image))).toBe(true);
  });

  test('is small', () => {
    expect(statSync(packed).size).toBeLessThan(300_000);
  });
});

describe('the image', () => {
  test('holds what is described', async () => {
    await withExt2Tree(image, async (read: Tree) => expect(await differencesOf(tree, read)).toEqual([]));
  });

  describeWith(['e2fsck', 'debugfs'], 'as others see it', () => {
    const debugfs = (command: string): string => run('debugfs', ['-R', command, image]);

    test('is sound, has blocks of 1 KiB and room left', () => {
      expect(run('e2fsck', ['-fn', image])).toMatch(/sample: \d+\/\d+ files .*, \d+\/24576 blocks/);
      const shown = debugfs('show_super_stats -h');
      expect(shown).toMatch(/Block size: +1024\n/);
      expect(shown).toMatch(/Inode size:\s+128\n/);
      expect(Number(/Free blocks: +(\d+)/.exec(shown)?.[1])).toBeGreaterThan(10_000);
    });

    test('has its setuid files, devices, links and holes', () => {
      expect(debugfs('stat /bin/su')).toMatch(/Type: regular +Mode: +04755/);
      expect(debugfs('stat /dev/ubd/3')).toMatch(
        /Type: block special[\s\S]*Device major\/minor number: 98:03/,
      );
      expect(debugfs('stat /bin/zcat')).toMatch(/Links: 3 /);
      expect(debugfs('stat /usr/share/doc/sample/exactly-59')).toMatch(/Fast link dest:/);
      expect(debugfs('stat /usr/share/doc/sample/exactly-60')).toMatch(/Size: 60\n[\s\S]*TOTAL: 1\n/);
      expect(debugfs('stat /var/log/lastlog')).toMatch(/Size: 19136220\n[\s\S]*TOTAL: 6\n/);
    });
  });
});

describe('the root', () => {
  const below = (path: string): string[] => {
    const node = tree.get(path);
    return node?.type === 'directory' ? [...node.entries.keys()] : [];
  };

  test('has the services that HOWTO 5.6 removes, and others', () => {
    const removed =
      'S25netfs S50snmpd S55named S55sshd S56xinetd S80sendmail S85gpm S85httpd S90crond S90squid S90xfs S91smb S95innd';
    expect(below('/etc/rc.d/rc3.d')).toEqual(expect.arrayContaining(removed.split(' ')));
    expect(below('/etc/rc.d/rc3.d').length).toBeGreaterThan(20);
    for (const level of [0, 1, 2, 3, 4, 5, 6]) {
      expect(tree.get(`/etc/rc${level}.d`)).toMatchObject({ type: 'symlink', target: `rc.d/rc${level}.d` });
    }
    for (const name of below('/etc/rc.d/rc3.d')) {
      const link = tree.get(`/etc/rc.d/rc3.d/${name}`);
      const target = link?.type === 'symlink' ? link.target : '';
      expect(tree.get(`/etc/rc.d/${target.replace('../', '')}`)?.mode, name).toBe(0o755);
    }
  });

  test('says that it is a sample', () => {
    for (const path of ['/etc/issue', '/etc/sample-release', '/etc/motd', '/usr/share/doc/sample/README'])
      expect(textAt(path)).toMatch(/sample/i);
  });

  test('names no distribution as what it is', () => {
    for (const { path, node } of tree.entries()) {
      expect(path).not.toMatch(/red-?hat|caldera|debian/i);
      if (node.type === 'file' && node.size < 100_000)
        expect(textAt(path), path).not.toMatch(/red ?hat|caldera|debian/i);
    }
  });

  test('has accounts for all owners', () => {
    const ids = (path: string): Set<number> =>
      new Set(
        textAt(path)
          .split('\n')
          .slice(0, -1)
          .map((line) => Number(line.split(':')[2])),
      );
    const [users, groups] = [ids('/etc/passwd'), ids('/etc/group')];
    for (const { path, node } of tree.entries()) {
      expect(users, path).toContain(node.uid);
      expect(groups, path).toContain(node.gid);
    }
  });

  test('has modules with their dependencies', () => {
    const modules = [...tree.entries()].filter(({ path }) => path.endsWith('.o')).map(({ path }) => path);
    const lines = textAt('/lib/modules/2.4.16-21um/modules.dep').trimEnd().split('\n');
    expect(lines.map((line) => line.split(':')[0])).toEqual(modules.sort());
    for (const needed of lines.flatMap((line) => line.split(' ').slice(1))) expect(modules).toContain(needed);
  });

  test('is as large as a root is in its ways', () => {
    expect(below('/usr/share/sample/terms').length).toBeGreaterThan(600);
    expect(below('/dev').length).toBeGreaterThan(250);
    const log = tree.get('/var/log/messages');
    expect(log?.type === 'file' && log.size).toBeGreaterThan(2_500_000);
    const kinds = new Set([...tree.entries()].map(({ node }) => node.type));
    expect([...kinds].sort()).toEqual([
      'block',
      'character',
      'directory',
      'fifo',
      'file',
      'socket',
      'symlink',
    ]);
  });

  testWith(['dash'], 'has scripts that a shell understands', () => {
    for (const { path, node } of tree.entries()) {
      if (node.type !== 'file' || node.size > 10_000) continue;
      const text = textAt(path);
      if (text.startsWith('#!/bin/sh') || /functions$|lang\.sh$/.test(path))
        run('dash', ['-n'], { input: text });
    }
  });
});
