import { existsSync, mkdirSync, readdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { FileSource } from '../../../images/bytes/byte-source.js';
import { Pace } from '../../../images/bytes/pace.js';
import { treeOfTar } from '../../../images/tar/reader.js';
import { readContent } from '../../../images/tree/content.js';
import type { Tree } from '../../../images/tree/tree.js';
import { HandMadeTar } from '../../support/hand-made-tar.js';
import { temporaryFolder } from '../../support/temporary.js';
import { describeWith } from '../../support/tools.js';
import { differencesOf } from '../../support/tree-of.js';
import { installedByHand } from './installed-by-hand.js';
import { applied, EPOCH, failureOf, HOSTS, install, linesOf } from './installing.js';
import { smallBase } from './small-base.js';

const scratch = temporaryFolder();

function textOf(tree: Tree, path: string): string {
  const node = tree.get(path);
  if (node?.type !== 'file') throw new Error(`no file ${path}`);
  return readContent(node.content, node.size).toString('latin1');
}

describeWith(['make', 'fakeroot', 'bwrap', 'unshare'], 'A rule', () => {
  test.each(HOSTS)(
    'does what it does to a root that is all there ($sandbox)',
    async ({ sandbox, without }) => {
      const expected = await installedByHand(scratch, 'install_ssi_redhat');
      const installed = await install(scratch, 'install_ssi_redhat', { without });
      expect(installed.facts).toMatchObject({ sandbox, ownership: 'fakeroot' });
      expect(await differencesOf(expected, applied(installed))).toEqual([]);
      // Not a single name more than what changed.
      expect(installed.overlay.get('/bin/untouched')).toBeUndefined();
      expect(installed.overlay.get('/etc/inittab')).toBeUndefined();
      expect(installed.overlay.get('/usr/lib/locked')).toBeUndefined();
    },
  );

  test('gives the same whatever the host is like, and wherever the work is done', async () => {
    const first = await install(scratch, 'install_ssi_redhat');
    const before = { umask: process.umask(0o077), TZ: process.env.TZ, LC_ALL: process.env.LC_ALL };
    Object.assign(process.env, {
      TZ: 'Asia/Tokyo',
      LC_ALL: 'C.UTF-8',
      MAKEFLAGS: '-n',
      UML_ROOT: '/',
      R: '/',
    });
    try {
      const farAway = join(scratch, "a folder with $(blanks) and 'quotes'");
      mkdirSync(farAway);
      const none = install(farAway, 'install_ssi_redhat', { without: ['bwrap', 'unshare'] });
      expect(await failureOf(none)).toContain('choose a folder with a plain name');
      for (const { sandbox, without } of HOSTS) {
        const again = await install(sandbox === 'none' ? scratch : farAway, 'install_ssi_redhat', {
          without,
          jobs: 2,
        });
        expect(await linesOf(again.overlay)).toEqual(await linesOf(first.overlay));
      }
    } finally {
      process.umask(before.umask);
      for (const key of ['MAKEFLAGS', 'UML_ROOT', 'R']) delete process.env[key];
      for (const key of ['TZ', 'LC_ALL'] as const) {
        if (before[key] === undefined) delete process.env[key];
        else process.env[key] = before[key];
      }
    }
  });

  test('finds an environment that is the same everywhere', async () => {
    const lines = textOf((await install(scratch, 'environment')).overlay, '/etc/environment.txt').split('\n');
    expect(lines).toEqual(expect.arrayContaining(['/build/source', '0022', '0', '/build/root', 'build']));
    expect(lines).toEqual(
      expect.arrayContaining(['HOME=/build', 'LC_ALL=C', 'TZ=UTC', `SOURCE_DATE_EPOCH=${EPOCH}`]),
    );
    const known =
      /^(?:PATH|HOME|USER|LOGNAME|SHELL|LC_ALL|TZ|SOURCE_DATE_EPOCH|PWD|OLDPWD|SHLVL|UML_ROOT|_|(?:MAKE|MFLAGS|FAKE|LD_)\w*)=/;
    expect(lines.filter((line) => line.includes('=') && !known.test(line))).toEqual([]);
  });

  test('takes names of users from the base', async () => {
    const { overlay } = await install(scratch, 'install_ssi_debian');
    expect(overlay.get('/sbin/tool')).toMatchObject({ uid: 312, gid: 320, mode: 0o755 });
  });

  test('that does nothing gives an empty overlay', async () => {
    const installed = await install(scratch, 'does_nothing');
    expect((await linesOf(installed.overlay)).length).toBe(1);
    expect(await linesOf(applied(installed))).toEqual(await linesOf(smallBase()));
    expect(installed.facts).toMatchObject({ added: 0, changed: 0, removed: 0 });
    expect(installed.warnings).toEqual([]);
  });

  test('leaves its output, and nothing of what it was made with', async () => {
    const lines: string[] = [];
    const installed = await install(scratch, 'does_nothing', { onOutput: (line) => lines.push(line) });
    expect(readFileSync(installed.log, 'utf8')).toBe('true\n');
    expect(lines).toEqual(['true']);
    expect(readdirSync(join(installed.log, '..')).sort()).toEqual(['make.log', 'root']);
  });

  test('sees the contents that the recipe says it needs', async () => {
    const installed = await install(scratch, 'reads_init', { needs: ['/sbin/init'] });
    expect(textOf(installed.overlay, '/sbin/init.orig')).toBe(textOf(smallBase(), '/sbin/init'));
    const appended = await install(scratch, 'appends_to_init', { needs: ['/sbin'] });
    expect(textOf(appended.overlay, '/sbin/init')).toBe(`${textOf(smallBase(), '/sbin/init')}more\n`);
    expect(appended.overlay.get('/sbin/modprobe')).toBeUndefined();
  });
});

describeWith(['make', 'fakeroot', 'bwrap'], 'A rule that fails', () => {
  test('shows its last lines, safe for a terminal, and where all of them are', async () => {
    const message = await failureOf(install(scratch, 'fails'));
    expect(message).toMatch(
      /^error: make fails failed with exit code 2\n {2}about to fail\n {2}\\x1b\[31mred\\x07\n/,
    );
    const log = /Everything it printed is in (.*make\.log)\.$/.exec(message)?.[1] ?? '';
    expect(readFileSync(log, 'utf8')).toContain('\x1b[31mred');
  });

  test('or that the Makefile lacks: what there is', async () => {
    const message = await failureOf(install(scratch, 'install_ssi_caldera'));
    expect(message).toContain('the Makefile of the cluster tools has no rule install_ssi_caldera');
    expect(message).toContain('It has: install_ssi_debian, install_ssi_redhat.');
  });

  test.each(['reads_init', 'reads_relative'])(
    'as it reads what is not laid out: the line to add (%s)',
    async (rule) => {
      const message = await failureOf(install(scratch, rule));
      expect(message).toContain(`make ${rule} failed with exit code 2`);
      expect(message).toContain('Add to the recipe: clusterTools: {needs: [/sbin/init]}');
    },
  );

  test('to read something and goes on: a warning', async () => {
    const { warnings } = await install(scratch, 'tries_to_read');
    expect(warnings).toEqual([
      {
        message: 'the make rule asked for the contents of 1 files of the base in vain',
        hint: expect.stringContaining('needs: [/sbin/init]') as string,
      },
    ]);
  });

  test.each([
    ['appends_to_init', 'the make rule changed /sbin/init in place'],
    ['copies_opened_init', 'the make rule copied /sbin/init'],
    ['makes_whiteout_device', 'the make rule made /dev/zero-zero, which in an overlay means'],
    ['makes_whiteout_name', 'the make rule made /etc/.wh.passwd, which in an overlay means'],
  ])('to be what it should be: %s', async (rule, message) => {
    expect(await failureOf(install(scratch, rule))).toContain(message);
  });

  test.each(['--eval=all:', '-f/etc/passwd', 'A=b', '', 'a b', '$(shell id)'])(
    'to be a rule: %j',
    async (rule) => {
      expect(await failureOf(install(scratch, rule))).toContain('is not the name of a make rule');
    },
  );

  test('for a path of needs that is not there', async () => {
    const message = await failureOf(install(scratch, 'does_nothing', { needs: ['/sbin/int'] }));
    expect(message).toContain('clusterTools.needs names /sbin/int, which is not in the base');
  });
});

describeWith(['make', 'bwrap', 'unshare'], 'Without fakeroot', () => {
  const isRoot = process.getuid?.() === 0;

  test.runIf(isRoot).each(HOSTS)(
    'root makes owners and devices itself ($sandbox)',
    async ({ sandbox, without }) => {
      const installed = await install(scratch, 'install_ssi_debian', { without: [...without, 'fakeroot'] });
      expect(installed.facts).toMatchObject({ sandbox, ownership: 'root' });
      // Without a sandbox the names are those of the host.
      if (sandbox !== 'none')
        expect(installed.overlay.get('/sbin/tool')).toMatchObject({ uid: 312, gid: 320 });
      expect(installed.overlay.get('/etc')).toBeUndefined();
      expect(installed.warnings.map(({ message }) => message).join()).toContain('without fakeroot');
    },
  );

  test('what is not laid out is not there, and the message says so', async () => {
    const message = await failureOf(install(scratch, 'reads_init', { without: ['fakeroot'] }));
    expect(message).toContain('clusterTools: {needs: [/sbin/init]}');
  });
});

describe('Sources', () => {
  const makefile = 'all:\n\tcp -p file $(UML_ROOT)/etc/file; ls -l >$(UML_ROOT)/etc/list; rm Makefile\n';

  async function installed(source: Tree | string): Promise<Tree> {
    return (await install(scratch, 'all', { source })).overlay;
  }

  test('from a tar keep their times and lose the directory that all of them are in', async () => {
    const path = join(scratch, 'source.tar');
    const tar = new HandMadeTar()
      .member('cluster-tools-0.6.5/', { type: '5' })
      .member('cluster-tools-0.6.5/Makefile', { data: makefile })
      .member('cluster-tools-0.6.5/file', { data: 'x', mode: '0000666\0', mtime: '07000000000\0' });
    writeFileSync(path, tar.bytes());
    const overlay = await installed(await treeOfTar(new FileSource(path), new Pace()));
    expect(overlay.get('/etc/file')).toMatchObject({ mode: 0o644, mtime: { seconds: 0o7000000000 } });
  });

  test('in a folder stay as they are, and count without their times and owners', async () => {
    const folder = join(scratch, 'source-folder');
    mkdirSync(folder);
    writeFileSync(join(folder, 'Makefile'), makefile);
    writeFileSync(join(folder, 'file'), 'x', { mode: 0o600 });
    const first = await linesOf(await installed(folder));
    expect(existsSync(join(folder, 'Makefile'))).toBe(true);
    utimesSync(join(folder, 'file'), 5, 5);
    expect(await linesOf(await installed(folder))).toEqual(first);
    expect(first.find((line) => line.includes('/etc/file'))).toContain('"mode":"0644"');
    expect(first.find((line) => line.includes('/etc/file'))).toContain(`"mtime":${EPOCH}`);
  });

  test('without a Makefile are none', async () => {
    const folder = join(scratch, 'no-makefile');
    mkdirSync(folder);
    expect(await failureOf(install(scratch, 'all', { source: folder }))).toContain('have no Makefile');
  });
});
