import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { FileSource, MemorySource } from '../../../images/bytes/byte-source.js';
import { Pace } from '../../../images/bytes/pace.js';
import { isCpio, treeOfCpio } from '../../../images/cpio/reader.js';
import { treeOfDirectory } from '../../../images/tree/from-directory.js';
import { makeHostTree } from '../../support/host-tree.js';
import { temporaryFolder } from '../../support/temporary.js';
import { describeWith, tool } from '../../support/tools.js';
import { differencesOf } from '../../support/tree-of.js';

const folder = temporaryFolder();
const pace = new Pace();

function makeCpio(format: string, source: string): string {
  const archive = join(folder, `${format}.cpio`);
  const names = execFileSync('find', ['.', '-print0'], { cwd: source });
  execFileSync(tool('cpio'), ['--quiet', '-0', '-o', '-H', format, '-F', archive], {
    cwd: source,
    input: names,
  });
  return archive;
}

describeWith(['cpio'], 'archives of GNU cpio', () => {
  const source = join(folder, 'tree');
  mkdirSync(source);
  makeHostTree(source);

  test.each(['newc', 'crc', 'odc'])('%s: every name, attribute and content', async (format) => {
    const archive = new FileSource(makeCpio(format, source));
    expect(isCpio(archive)).toBe(true);
    const differences = await differencesOf(
      await treeOfDirectory(source, pace),
      await treeOfCpio(archive, pace),
    );
    // Times before 1970 do not fit its unsigned field.
    expect(differences.filter(({ path }) => path !== '/size-511')).toEqual([]);
  });

  test('several archives one after the other, with padding, as in an initramfs', async () => {
    const one = readFileSync(makeCpio('newc', join(source, 'folder')));
    const two = readFileSync(makeCpio('newc', source));
    const tree = await treeOfCpio(new MemorySource(Buffer.concat([one, Buffer.alloc(1024), two])), pace);
    expect(tree.get('size-1')?.type).toBe('file');
    expect(tree.get('link')?.type).toBe('symlink');
  });
});

/** A newc member by hand. */
function member(name: string, mode: number, data = '', nameBytes = name.length + 1): Buffer {
  const fields = [1, mode, 0, 0, 1, 0, data.length, 0, 0, 0, 0, nameBytes, 0];
  const head = Buffer.from(
    `070701${fields.map((field) => field.toString(16).padStart(8, '0')).join('')}${name}\0`,
    'latin1',
  );
  const pad = (length: number): Buffer => Buffer.alloc((4 - (length % 4)) % 4);
  return Buffer.concat([head, pad(head.length), Buffer.from(data, 'latin1'), pad(data.length)]);
}

describe('hostile archives', () => {
  const read = (...members: Buffer[]) =>
    treeOfCpio(new MemorySource(Buffer.concat(members), 'hostile.cpio'), pace);

  test.each([
    ['a name that leads out', [member('../x', 0o100644)], /byte 0: error: \.\.\/x: the name has a "\.\."/],
    [
      'a path through a link',
      [member('a', 0o120777, '/etc'), member('a/x', 0o100644)],
      /leads through a symlink/,
    ],
    ['a file as the root', [member('.', 0o100644)], /the root is something else/],
    ['an unknown type', [member('a', 0o150644)], /unknown type 0150000/],
    ['a name that is too long', [member('a', 0o100644, '', 0x7fffffff)], /a name of 2147483647 bytes/],
    ['no number in a field', [Buffer.from('070701'.padEnd(120, 'z'))], /a field that is no number/],
    ['garbage after a member', [member('a', 0o100644), Buffer.from('x'.repeat(200))], /no cpio header/],
    ['a symbolic link without a target', [member('a', 0o120777)], /a symbolic link of 0 bytes/],
  ] as const)('%s', async (_name, members, message) => {
    await expect(read(...members)).rejects.toThrowError(message);
  });

  test('cut short', async () => {
    const whole = member('abc', 0o100644, 'data that goes on');
    for (let length = 1; length < whole.length - 3; length++) {
      await expect(read(whole.subarray(0, length)), `${length} bytes`).rejects.toThrowError(
        /hostile\.cpio: byte \d+/,
      );
    }
  });
});
