import { chmodSync, cpSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { BuildEvent } from '../../pipelines/engine/events.js';
import { copyCheckout } from '../support/checkout-copy.js';
import { DEBIAN_BUILD_TOOLS, debianBuild, debianBuildArguments } from '../support/debian-build.js';
import { type Nginx, nginxUser, startNginx } from '../support/nginx.js';
import { ssiImage, ssiImageOutput } from '../support/ssi-image.js';
import { temporaryFolder } from '../support/temporary.js';
import { describeWith, run } from '../support/tools.js';

const isRoot = process.getuid?.() === 0;
const NOBODY = 65534;
/** What a change in one file may move. */
const CHANGE_BYTES = 10 * 1024 * 1024;

interface Told {
  readonly ran: readonly string[];
  readonly remote: (BuildEvent & { readonly type: 'remote-done' }) | undefined;
}

/** What the events of a build tell. */
function tell(events: string): Told {
  const all = events
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as BuildEvent);
  return {
    ran: all.flatMap((event) => (event.type === 'stage-done' ? [event.stage] : [])),
    remote: all.find((event) => event.type === 'remote-done'),
  };
}

// One after the other: each machine goes on with what is on the server by then.
describeWith(
  [...DEBIAN_BUILD_TOOLS, 'nginx', 'openssl', 'gzip', ...(isRoot ? ['setpriv'] : [])],
  'the recipe debian on several machines, with nginx between them',
  () => {
    const folder = temporaryFolder();
    let nginx: Nginx;
    let first: ReturnType<typeof debianBuild>;
    /** Bytes that they are with gzip. */
    let packed = 0;
    const key = { SSI_IMAGES_REMOTE_KEY: 'a secret of the tests, long enough for it' };

    beforeAll(async () => {
      chmodSync(folder, 0o755);
      first = debianBuild();
      const site = join(folder, 'server');
      mkdirSync(site);
      nginx = await startNginx(site);
    });
    afterAll(() => nginx?.stop());

    const build = (out: string, cache: string, env: NodeJS.ProcessEnv, ...more: string[]): Told => {
      const args = [...debianBuildArguments(out, cache), '--json', '--remote-cache', nginx.url, ...more];
      const { status, stderr } = ssiImage(args, { env: { ...key, ...env } });
      expect(status, stderr).toBe(0);
      return tell(stderr);
    };
    const sums = (out: string): string => readFileSync(join(out, 'SHA256SUMS'), 'utf8');

    test('the first one gives the server what it has', () => {
      const { ran, remote } = build(first.folder, first.cache, nginxUser, '--remote-patience', '600');
      expect(ran).toEqual([]);
      expect(remote?.pushed).toBeGreaterThan(5);
      packed = packedBytes();
      // Sent once and compressed.
      expect(remote?.sent).toBeLessThan(1.1 * packed);
    });

    test('another user elsewhere runs nothing but the stage that writes the image', () => {
      const there = join(folder, 'another machine');
      copyCheckout(there);
      if (isRoot) run('chown', ['-R', `${NOBODY}:${NOBODY}`, there]);
      const user = isRoot
        ? ['setpriv', `--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups', '--']
        : [];
      const environment = { HOME: there, PATH: process.env.PATH ?? '', ...key };
      const command = [
        ...[...user, 'env', '-i', ...Object.entries(environment).map(([name, value]) => `${name}=${value}`)],
        ...[process.execPath, join(there, 'dist', 'scripts', 'ssi-image.js')],
        ...debianBuildArguments(join(there, 'out'), join(there, 'cache')),
        ...['--json', '--remote-cache', nginx.url, '--remote-patience', '600', '--summary', 'summary.md'],
      ];
      const events = run('sh', ['-c', '"$@" 2>&1 >/dev/null', 'sh', ...command], { cwd: there });
      const { ran, remote } = tell(events);
      expect(ran).toEqual(['root-image']);
      expect(sums(join(there, 'out'))).toBe(sums(first.folder));
      // It may not write: nobody told it a password.
      expect(remote).toMatchObject({ pushed: 0, sent: 0 });
      expect(remote?.received).toBeGreaterThan(0.5 * packed);
      expect(remote?.received).toBeLessThan(1.1 * packed);
      expect(readFileSync(join(there, 'summary.md'), 'utf8')).toMatch(/received and .* sent in/);
    });

    test('a change in one file moves little, either way', () => {
      const changed = join(folder, 'changed');
      // The fixture's own cache stays as it is, for the next run of this test.
      for (const machine of ['cache', 'other-cache'])
        cpSync(first.cache, `${changed}.${machine}`, { recursive: true });
      const change = [
        '--set',
        `configure.files.0.content=changed ${basename(folder)}`,
        '--remote-patience',
        '600',
      ];
      const { ran, remote } = build(changed, `${changed}.cache`, nginxUser, ...change);
      expect(ran).not.toContain('base-debootstrap');
      expect(ran).toContain('configure');
      expect(remote?.pushed).toBeGreaterThan(0);
      expect(remote?.sent).toBeLessThan(CHANGE_BYTES);
      // And a machine that had the state before gets it.
      const other = build(`${changed}.other`, `${changed}.other-cache`, {}, ...change);
      expect(other.ran).toEqual(['root-image']);
      expect(other.remote?.received).toBeLessThan(CHANGE_BYTES);
      expect(sums(`${changed}.other`)).toBe(sums(changed));
    });

    test('an archive of what the build used gives full hits on a fresh machine', () => {
      const archive = join(folder, 'archive');
      mkdirSync(archive);
      ssiImageOutput(['cache', 'export', archive, '--used', first.folder, '--cache-dir', first.cache]);
      const [name] = run('ls', [archive]).split('\n');
      const [cache, out] = [join(folder, 'imported.cache'), join(folder, 'imported')];
      ssiImageOutput(['cache', 'import', join(archive, name ?? ''), '--cache-dir', cache]);
      const { status, stderr } = ssiImage([...debianBuildArguments(out, cache), '--json', '--offline']);
      expect(status, stderr).toBe(0);
      expect(tell(stderr).ran).toEqual(['root-image']);
      expect(sums(out)).toBe(sums(first.folder));
    });

    /** Bytes of what gzip makes of the files that the build used and the cache keeps. */
    function packedBytes(): number {
      return usedDigests()
        .map((sha256) => join(first.cache, 'cas', sha256))
        .filter((path) => existsSync(path))
        .reduce((sum, path) => sum + Number(run('sh', ['-c', 'gzip -c "$1" | wc -c', 'sh', path])), 0);
    }

    function usedDigests(): string[] {
      const manifest = JSON.parse(readFileSync(join(first.folder, 'manifest.json'), 'utf8')) as {
        stages: { artifacts: Record<string, { readonly sha256: string }> }[];
      };
      return [
        ...new Set(
          manifest.stages.flatMap(({ artifacts }) => Object.values(artifacts).map(({ sha256 }) => sha256)),
        ),
      ];
    }
  },
);
