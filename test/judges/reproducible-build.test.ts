import { chmodSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { manifestIn } from '../support/build-outputs.js';
import { copyCheckout } from '../support/checkout-copy.js';
import { decode } from '../support/howto-root.js';
import { loopMountFault, withLoopMount } from '../support/loop-mount.js';
import { ssiImageOutput } from '../support/ssi-image.js';
import { temporaryFolder } from '../support/temporary.js';
import { describeUnless, describeWith, findTool, run } from '../support/tools.js';

const folder = temporaryFolder();
// Others must get in.
chmodSync(folder, 0o755);

const isRoot = process.getuid?.() === 0;
const NOBODY = 65534;

/** Builds the sample here and now, with no cache to begin with. Returns the output folder. */
function buildSample(name: string, ...settings: readonly string[]): string {
  const out = join(folder, name);
  const sets = settings.flatMap((setting) => ['--set', setting]);
  ssiImageOutput(['build', 'sample', '--out', out, '--cache-dir', join(folder, `${name}.cache`), ...sets]);
  return out;
}

const sumsIn = (out: string): string => readFileSync(join(out, 'SHA256SUMS'), 'utf8');

/** All that a manifest says but for the bytes that files take on this disk. */
function factsIn(out: string) {
  const manifest = manifestIn(out);
  return { ...manifest, outputs: manifest.outputs.map(({ allocated, ...output }) => output) };
}

describeWith(['make', 'fakeroot'], 'the sample, built twice', () => {
  test('by build --check, which says so', () => {
    const cache = join(folder, 'check.cache');
    const shown = ssiImageOutput(['build', 'sample', '--check', '--cache-dir', cache]);
    expect(shown).toContain('sample: both builds gave the same bytes\n');
    const sums = shown
      .match(/^ {2}[0-9a-f]{64} {2}\S+$/gm)
      ?.map((line) => `${line.trim()}\n`)
      .join('');
    expect(sums).toBe(sumsIn(buildSample('after-check')));
    // Nothing of the two builds stays.
    expect(readdirSync(join(cache, 'tmp'))).toEqual([]);
  });

  describeWith(isRoot ? ['setpriv'] : [], 'the other time by nobody, elsewhere', () => {
    test('and with other umask, time zone, language, clock, and order of files', () => {
      const here = buildSample('here');
      const there = join(folder, 'there and away');
      copyCheckout(there);
      const out = join(there, 'out', 'sample');
      const environment = {
        ...{ HOME: there, PATH: process.env.PATH ?? '', TZ: 'Pacific/Kiritimati' },
        ...{ LANG: 'tr_TR.UTF-8', LC_ALL: 'tr_TR.UTF-8' },
      };
      const user = isRoot
        ? ['setpriv', `--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups', '--']
        : [];
      const faketime = findTool('faketime');
      const clock = faketime === undefined ? [] : [faketime, '-f', '@2031-05-05 12:00:00'];
      if (isRoot) run('chown', ['-R', `${NOBODY}:${NOBODY}`, there]);
      const command = [
        ...[...user, 'env', '-i', ...Object.entries(environment).map(([name, value]) => `${name}=${value}`)],
        ...['sh', '-c', 'umask 077 && exec "$@"', 'sh', ...clock],
        ...[process.execPath, join('dist', 'scripts', 'ssi-image.js'), 'build', 'sample', '--jobs', '1'],
      ];
      run('env', command, { cwd: there });
      if (isRoot) expect(statSync(out).uid).toBe(NOBODY);
      expect(sumsIn(out)).toBe(sumsIn(here));
      expect(factsIn(out)).toEqual(factsIn(here));
    });
  });
  describeUnless(loopMountFault(), 'from its base in other forms', () => {
    test('an image, a directory, and one whose names were made in another order', async () => {
      const base = fileURLToPath(new URL('../../recipes/sample/base.ext2.bz2', import.meta.url));
      const image = join(folder, 'base.ext2');
      decode(base, image);
      const [forwards, backwards] = [join(folder, 'forwards'), join(folder, 'backwards')];
      const script = fileURLToPath(new URL('../fixtures/copy-backwards.sh', import.meta.url));
      await withLoopMount(image, join(folder, 'mnt'), async () => {
        run('cp', ['-a', join(folder, 'mnt'), forwards]);
        run('sh', [script, join(folder, 'mnt'), backwards]);
      });
      const sums = sumsIn(buildSample('packed'));
      expect(sumsIn(buildSample('image', `base.image=${image}`))).toBe(sums);
      expect(sumsIn(buildSample('forwards.out', `base.directory=${forwards}`))).toBe(sums);
      expect(sumsIn(buildSample('backwards.out', `base.directory=${backwards}`))).toBe(sums);
    });
  });
});
