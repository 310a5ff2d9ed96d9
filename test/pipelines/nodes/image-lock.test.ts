import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { isWritten, lockImage } from '../../../pipelines/nodes/image-lock.js';
import { temporaryFolder } from '../../support/temporary.js';
import { describeWith } from '../../support/tools.js';

describeWith(['flock'], 'the lock on an image', () => {
  test('shows that a cluster writes it, and goes when that ends', () => {
    const image = join(temporaryFolder(), 'root_fs');
    writeFileSync(image, '');
    expect(isWritten(image)).toBe(false);
    const lock = lockImage(image, 'exclusive');
    expect(isWritten(image)).toBe(true);
    expect(() => lockImage(image, 'shared')).toThrow('a cluster uses it already');
    lock.release();
    expect(isWritten(image)).toBe(false);
    // Who reads it does not write.
    const reading = lockImage(image, 'shared');
    expect(isWritten(image)).toBe(false);
    reading.release();
  });

  test('is for files', () => {
    const folder = join(temporaryFolder(), 'folder');
    mkdirSync(folder);
    expect(isWritten(folder)).toBe(false);
    expect(isWritten(join(folder, 'none'))).toBe(false);
  });
});
