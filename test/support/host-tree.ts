import {
  chmodSync,
  linkSync,
  mkdirSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { run } from './tools.js';

/** A folder of the host with what archivers find difficult; everything in it can be made by any user. */
export function makeHostTree(path: string): void {
  mkdirSync(join(path, 'folder', 'in', 'folder'), { recursive: true });
  const pattern = (size: number): Buffer =>
    Buffer.from(Array.from({ length: size }, (_, index) => 1 + ((index * 13) % 255)));
  for (const size of [0, 1, 511, 512, 513, 20_000]) writeFileSync(join(path, `size-${size}`), pattern(size));
  const deep = join(path, ...Array.from({ length: 4 }, (_, index) => `${index}${'d'.repeat(90)}`));
  mkdirSync(deep, { recursive: true });
  writeFileSync(join(deep, 'e'.repeat(100)), 'at the end of a long path\n');
  linkSync(join(path, 'size-513'), join(path, 'folder', 'linked'));
  symlinkSync('../size-1', join(path, 'folder', 'link'));
  symlinkSync('t'.repeat(300), join(path, 'long-link'));
  writeFileSync(join(path, 'sparse'), pattern(5000));
  truncateSync(join(path, 'sparse'), 3_000_000);
  writeFileSync(join(path, 'setuid'), '#!/bin/true\n');
  chmodSync(join(path, 'setuid'), 0o4751);
  chmodSync(join(path, 'folder'), 0o1777);
  run('mkfifo', [join(path, 'fifo')]);
  utimesSync(join(path, 'size-1'), 1_700_000_000.25, 1_700_000_000.25);
  utimesSync(join(path, 'size-511'), -86_400.75, -86_400.75);
}

/** A file whose name is no UTF-8. */
export function addRawName(path: string): void {
  writeFileSync(Buffer.concat([Buffer.from(`${path}/`), Buffer.from([0xff, 0x0a, 0x5c, 0x80])]), 'raw\n');
}
