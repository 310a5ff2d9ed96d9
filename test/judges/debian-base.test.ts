import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { ssiImage, ssiImageOutput } from '../support/ssi-image.js';
import { temporaryFolder } from '../support/temporary.js';
import { describeWith, run } from '../support/tools.js';

const folder = temporaryFolder();
// biome-ignore lint/suspicious/noTemplateCurlyInString: dpkg-query's own form
const FORMAT = '${Package} ${Version}\\n';
const recipe = join(folder, 'minbase.yaml');
const defaults = join(import.meta.dirname, '../../recipes/defaults/opengfs.yaml');

writeFileSync(
  recipe,
  `recipe: 1
name: minbase
extends: ${defaults}
distribution: debian
variables: {nodes: 3, rootSize: 1GiB}
base:
  mmdebstrap: {suite: bookworm, include: [sysvinit-core], exclude: ['/usr/share/doc/*', '/usr/share/man/*']}
configure: {inittab: null}
`,
);

interface Manifest {
  readonly stages: readonly {
    readonly name: string;
    readonly facts: {
      readonly packages?: readonly { readonly name: string; readonly version: string }[];
    } | null;
  }[];
}

const build = (out: string, cache: string, ...more: string[]): string[] => [
  ...['build', recipe, '--out', join(folder, out), '--cache-dir', join(folder, cache)],
  ...more,
];

describeWith(['mmdebstrap', 'dpkg-query'], 'a Debian base made by mmdebstrap', () => {
  test('has the packages that dpkg sees in it, and comes out the same when it is locked', () => {
    ssiImageOutput(build('out', 'cache'));
    const manifest = JSON.parse(readFileSync(join(folder, 'out/manifest.json'), 'utf8')) as Manifest;
    const recorded = manifest.stages.find(({ name }) => name === 'base-debootstrap')?.facts?.packages ?? [];
    ssiImageOutput(['extract', join(folder, 'out/root_fs'), '/var/lib/dpkg', join(folder, 'dpkg')]);
    const seen = run('dpkg-query', ['--admindir', join(folder, 'dpkg'), '-W', '-f', FORMAT]);
    expect(recorded.map(({ name, version }) => `${name} ${version}`)).toEqual(
      seen.trimEnd().split('\n').sort(),
    );
    expect(recorded.map(({ name }) => name)).toContain('sysvinit-core');

    // Another cache, so that it is really made again.
    const sums = readFileSync(join(folder, 'out/SHA256SUMS'), 'utf8');
    ssiImageOutput(build('out', 'another-cache', '--locked'));
    expect(readFileSync(join(folder, 'out/SHA256SUMS'), 'utf8')).toBe(sums);
  });

  test('a package that does not exist', () => {
    const set = [
      '--set',
      'base.mmdebstrap.suite=bookworm',
      '--set',
      'base.mmdebstrap.include.0=no-such-package-here',
    ];
    const { status, stderr } = ssiImage(build('wrong', 'cache', ...set));
    expect(status).toBe(1);
    expect(stderr).toMatch(/mmdebstrap could not make a bookworm root/);
    expect(stderr).toMatch(/no-such-package-here/);
    expect(stderr).toMatch(/is not in the archive/);
  });

  test('--locked without a record', () => {
    const { status, stderr } = ssiImage(build('fresh', 'cache', '--locked'));
    expect(status).toBe(2);
    expect(stderr).toMatch(/records no Debian packages/);
  });
});
