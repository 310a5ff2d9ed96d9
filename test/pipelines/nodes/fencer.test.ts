import { existsSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Fencer } from '../../../pipelines/nodes/fencer.js';
import { temporaryFolder } from '../../support/temporary.js';

const folder = temporaryFolder();
let alive: Set<number>;
let ended: string[];
let buried: number[];
let fencer: Fencer;

beforeEach(() => {
  alive = new Set([1, 2, 3]);
  ended = [];
  buried = [];
  fencer = new Fencer(folder, {
    isAlive: (node) => alive.has(node),
    fence: async (node, asker) => {
      await sleep(20);
      if (alive.delete(node)) ended.push(`${node} for ${asker}`);
      return true;
    },
    isBuried: (node) => buried.push(node),
  });
  for (const node of alive) fencer.open(node);
});
afterEach(() => fencer.stop());

const place = (node: number, name: string): string => join(folder, `${node}`, name);

async function until(condition: () => boolean): Promise<void> {
  for (let tries = 0; !condition() && tries < 150; tries++) await sleep(20);
}

test('ends a node for another one, and says so when it is done', async () => {
  writeFileSync(place(1, 'req.2'), 'fence\n');
  await until(() => existsSync(place(1, 'ack.2')));
  expect(ended).toEqual(['2 for 1']);
  expect(existsSync(place(1, 'req.2'))).toBe(false);
  expect(buried).toEqual([2]);
  // One that is dead already.
  writeFileSync(place(3, 'req.2'), 'fence\n');
  await until(() => existsSync(place(3, 'ack.2')));
  expect(ended).toEqual(['2 for 1']);
});

test('of nodes that lost sight of each other one stays', async () => {
  for (const [asker, node] of [
    [1, 2],
    [1, 3],
    [2, 1],
    [2, 3],
    [3, 1],
    [3, 2],
  ] as const)
    writeFileSync(place(asker, `req.${node}`), 'fence\n');
  await until(() => alive.size === 1);
  await sleep(400);
  expect(alive.size).toBe(1);
});

test('a node can not have itself ended, nor write elsewhere by a link', async () => {
  const precious = join(folder, 'precious');
  writeFileSync(precious, 'mine');
  symlinkSync(precious, place(1, 'ack.3'));
  for (const name of ['req.1', 'req.0', 'req.x', 'req.2.3', 'request']) writeFileSync(place(1, name), '');
  writeFileSync(place(1, 'req.3'), '');
  await sleep(300);
  // Not before it is there as a whole.
  expect(ended).toEqual([]);
  writeFileSync(place(1, 'req.3'), 'fence');
  await until(() => !existsSync(place(1, 'req.3')));
  expect(ended).toEqual(['3 for 1']);
  expect(readFileSync(precious, 'utf8')).toBe('mine');
  expect(readFileSync(place(1, 'ack.3'), 'utf8')).toBe('ended\n');
  expect(alive.has(1)).toBe(true);
});

test('a node that starts anew finds nothing of its past', () => {
  writeFileSync(place(1, 'ack.2'), '');
  expect(fencer.open(1)).toBe(join(folder, '1'));
  expect(existsSync(place(1, 'ack.2'))).toBe(false);
});
