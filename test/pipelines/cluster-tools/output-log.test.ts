import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { OutputLog } from '../../../pipelines/cluster-tools/output-log.js';
import { temporaryFolder } from '../../support/temporary.js';

const scratch = temporaryFolder();
const MIB = 1024 * 1024;

test('Lines come whole, however the output is cut, and safe for a terminal', () => {
  const lines: string[] = [];
  const log = new OutputLog(join(scratch, 'lines'), (line) => lines.push(line));
  for (const part of ['on', 'e\ntw', 'o\n\nta\tb', 's\x1b[1m\r\n', 'caf\xe9\nlast'])
    log.write(Buffer.from(part, 'latin1'));
  log.write(Buffer.alloc(0));
  log.close();
  expect(lines).toEqual(['one', 'two', '', 'ta bs\\x1b[1m', 'caf\\xe9', 'last']);
  expect(log.lastLines).toEqual(lines.filter((line) => line !== ''));
  expect(readFileSync(join(scratch, 'lines'), 'latin1')).toBe('one\ntwo\n\nta\tbs\x1b[1m\r\ncaf\xe9\nlast');
});

test('A line without end is cut for those who watch, not in the file', () => {
  const lines: string[] = [];
  const log = new OutputLog(join(scratch, 'long'), (line) => lines.push(line));
  for (let count = 0; count < 100; count++) log.write(Buffer.alloc(100_000, 'x'));
  log.write(Buffer.from('\nnext\n'));
  log.close();
  expect(lines.map((line) => line.length)).toEqual([4096, 4]);
  expect(statSync(join(scratch, 'long')).size).toBe(10_000_006);
});

test('Of more than 64 MiB the start and the end stay', () => {
  const path = join(scratch, 'much');
  const log = new OutputLog(path, () => {});
  const line = Buffer.from(`${'y'.repeat(1023)}\n`);
  const piece = Buffer.concat(Array.from({ length: 64 }, () => line));
  log.write(Buffer.from('the first line\n'));
  for (let written = 0; written < 100 * MIB; written += piece.length) log.write(piece);
  log.write(Buffer.from('the last line\n'));
  log.close();
  const text = readFileSync(path, 'latin1');
  const [, leftOut = '0', rest = ''] = /\n\[(\d+) bytes are left out here\]\n(.*)$/s.exec(text) ?? [];
  expect(text.startsWith('the first line\nyyy')).toBe(true);
  expect(text.endsWith('yyy\nthe last line\n')).toBe(true);
  expect(rest.length).toBeGreaterThanOrEqual(MIB);
  expect(text.length).toBeLessThan(65 * MIB);
  const marker = `\n[${leftOut} bytes are left out here]\n`.length;
  expect(text.length - marker + Number(leftOut)).toBe(100 * MIB + 'the first line\nthe last line\n'.length);
  expect(log.lastLines.at(-1)).toBe('the last line');
});
