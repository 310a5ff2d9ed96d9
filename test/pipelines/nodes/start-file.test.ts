import { writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { readStartFile } from '../../../pipelines/nodes/start-file.js';
import { startFileStage } from '../../../pipelines/stages/start-file.js';
import { temporaryFolder } from '../../support/temporary.js';

const folder = temporaryFolder();
const path = join(folder, 'ssiuml.conf');

function read(text: string) {
  writeFileSync(path, text);
  return readStartFile(path);
}

test('what a build writes', () => {
  const { parameters } = startFileStage({ kernel: 'linux', root: 'root_fs', ramdisk: 'initrd.img' });
  expect(read((parameters as { lines: string[] }).lines.join(''))).toEqual({
    KERNEL: join(folder, 'linux'),
    ROOT: join(folder, 'root_fs'),
    INITRD: join(folder, 'initrd.img'),
  });
});

test.each([
  ['KERNEL=/usr/bin/linux.uml', '/usr/bin/linux.uml'],
  ['KERNEL=~/linux/linux', join(homedir(), 'linux/linux')],
  ['KERNEL=$HOME/linux', join(homedir(), 'linux')],
  [`KERNEL="\${HOME}/my linux"  # mine`, join(homedir(), 'my linux')],
  ["KERNEL='/a $b'", '/a $b'],
  ['  KERNEL=linux\t# comment\r', join(folder, 'linux')],
  ['KERNEL="~/linux"', join(folder, '~/linux')],
  ['# comment\n\nKERNEL=a#b', undefined],
])('%s', (text, kernel) => {
  if (kernel === undefined) expect(() => read(text)).toThrow();
  else expect(read(text)).toEqual({ KERNEL: kernel });
});

test('everything that is wrong, and where', () => {
  expect(() =>
    read(
      'KERNL=x\nROOT = y\nexport CIDEV=z\nINITRD=`date`\nROOT="$USER"\nKERNEL=\nKERNEL=a b\nKERNEL=ok\nKERNEL=twice\nINITRD="a',
    ),
  ).toThrow(
    expect.objectContaining({
      diagnostics: [
        [1, 1, '"KERNL" is not known here'],
        [2, 1, 'no assignment'],
        [3, 1, 'no assignment'],
        [4, 8, 'this is no plain value'],
        [5, 7, 'variables are not looked up here'],
        [6, 8, 'an empty value'],
        [7, 9, 'this is no plain value'],
        [9, 1, 'KERNEL is set a second time'],
        [10, 8, 'this is no plain value'],
      ].map(([line, column, message]) =>
        expect.objectContaining({ message, location: { file: path, line, column } }),
      ),
    }),
  );
});

test('a file that is none', () => {
  expect(() => readStartFile(join(folder, 'nothing'))).toThrow('no such file');
  expect(() => read('x'.repeat(100_000))).toThrow('it is too large');
});
