import { mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { ownSeed, ownSeedPath } from '../../pipelines/own-seed.js';
import { temporaryFolder } from '../support/temporary.js';

const folder = temporaryFolder();

test('is made once, for its user only, and another one for another user', () => {
  const path = join(folder, 'a', 'ssi-images', 'seed');
  const seed = ownSeed(path);
  expect(seed).toMatch(/^[0-9a-f]{64}$/);
  expect(ownSeed(path)).toBe(seed);
  expect(statSync(path).mode & 0o777).toBe(0o600);
  expect(readdirSync(dirname(path))).toEqual(['seed']);
  expect(ownSeed(join(folder, 'b', 'seed'))).not.toBe(seed);
});

test('lies where the user keeps configurations', () => {
  expect(ownSeedPath({ XDG_CONFIG_HOME: '/c' })).toBe('/c/ssi-images/seed');
  expect(ownSeedPath({})).toMatch(/\/\.config\/ssi-images\/seed$/);
});

test('is never replaced', () => {
  const path = join(folder, 'c');
  writeFileSync(path, 'something else\n');
  expect(() => ownSeed(path)).toThrow('this is not the secret that ssi-images has put here');
  const inTheWay = join(folder, 'd');
  mkdirSync(inTheWay);
  expect(() => ownSeed(inTheWay)).toThrow(inTheWay);
});
