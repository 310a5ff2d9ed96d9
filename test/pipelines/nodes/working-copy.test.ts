import { mkdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { Pace } from '../../../images/bytes/pace.js';
import { prepareWorkingCopy } from '../../../pipelines/nodes/working-copy.js';
import { temporaryFolder } from '../../support/temporary.js';

const folder = temporaryFolder();
const [built, copy] = [join(folder, 'built'), join(folder, 'copy')];
const image = join(built, 'root_fs');

/** As a build leaves its outputs: the manifest is written last. */
function build(bytes: string, sha256 = 'a'.repeat(64), manifestTime = 2): void {
  rmSync(built, { recursive: true, force: true });
  mkdirSync(built);
  writeFileSync(image, bytes);
  const outputs = [{ name: 'root_fs', size: bytes.length, sha256, allocated: 4096 }];
  writeFileSync(join(built, 'manifest.json'), JSON.stringify({ format: 1, outputs }));
  const now = Date.now() / 1000;
  utimesSync(image, now, now);
  utimesSync(join(built, 'manifest.json'), now + manifestTime, now + manifestTime);
}

async function outcome(fresh = false): Promise<string> {
  return (await prepareWorkingCopy(image, copy, { pace: new Pace(), fresh, onProgress: () => {} })).outcome;
}

test('a copy is of the image, also when another build has made the same', async () => {
  build('one');
  expect(await outcome()).toBe('made');
  writeFileSync(copy, 'written by nodes');
  expect(await outcome()).toBe('kept');
  build('one');
  expect(await outcome()).toBe('kept');
  expect(readFileSync(copy, 'utf8')).toBe('written by nodes');
  build('two', 'b'.repeat(64));
  expect(await outcome()).toBe('outdated');
  // What the manifest says is of the time before the image was changed.
  build('one', 'a'.repeat(64), -2);
  expect(await outcome()).toBe('outdated');
  // An image that was not built.
  rmSync(join(built, 'manifest.json'));
  expect(await outcome()).toBe('outdated');
  expect(await outcome(true)).toBe('made');
  expect(readFileSync(copy, 'utf8')).toBe('one');
  expect(await outcome()).toBe('kept');
  for (const record of ['', 'null', '[]', '{"image":1}']) {
    writeFileSync(`${copy}.origin`, record);
    expect(await outcome()).toBe('outdated');
  }
});
