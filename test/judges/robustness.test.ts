import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';
import { testWith } from '../support/tools.js';

const program = fileURLToPath(new URL('../../dist/test/robustness/run.js', import.meta.url));

// A few of each kind; all of them are in `npm run robustness`.
testWith(['make', 'fakeroot'], 'builds survive kills, signals, full disks, damage and each other', () => {
  const { status, stdout, stderr } = spawnSync(process.execPath, [program, '--few'], { encoding: 'utf8' });
  process.stdout.write(stdout);
  expect(`${stderr}${stdout.match(/^FAILED .*/gm)?.join('\n') ?? ''}`).toBe('');
  expect(status).toBe(0);
});
