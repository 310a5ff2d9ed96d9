import { spawnSync } from 'node:child_process';
import { chmodSync, chownSync, cpSync, mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { temporaryFolder } from '../../support/temporary.js';
import { describeWith, tool } from '../../support/tools.js';
import { compileInto } from './compiled.js';
import { HOSTS, install, linesOf, SOURCE } from './installing.js';

const scratch = temporaryFolder();
const sources = join(scratch, 'source');
const isRoot = process.getuid?.() === 0;
const NOBODY = 65534;
let program = '';

beforeAll(() => {
  if (!isRoot) return;
  chmodSync(scratch, 0o755);
  cpSync(SOURCE, sources, { recursive: true });
  program = compileInto(join(scratch, 'compiled'));
});

/** Installs as an ordinary user: the overlay's lines and the facts, or the message. */
function installAsNobody(rule: string, without: readonly string[]) {
  const work = mkdtempSync(join(scratch, 'work-'));
  chownSync(work, NOBODY, NOBODY);
  const user = ['--reuid', `${NOBODY}`, '--regid', `${NOBODY}`, '--clear-groups'];
  const { status, stdout, stderr } = spawnSync(
    tool('setpriv'),
    [...user, process.execPath, program, sources, rule, work, ...without],
    { encoding: 'utf8', env: { PATH: process.env.PATH } },
  );
  const [facts = '', ...lines] = stdout.trimEnd().split('\n');
  return { status, facts, lines, work, output: stdout + stderr };
}

describeWith(['make', 'fakeroot', 'bwrap', 'unshare', 'setpriv'], 'An ordinary user', () => {
  test.runIf(isRoot).each(HOSTS)('installs the same as root ($sandbox)', async ({ sandbox, without }) => {
    const expected = await linesOf((await install(scratch, 'install_ssi_redhat', { without })).overlay);
    const { status, facts, lines, work, output } = installAsNobody('install_ssi_redhat', without);
    expect(status, output).toBe(0);
    expect(JSON.parse(facts)).toMatchObject({ sandbox, ownership: 'fakeroot' });
    expect(lines).toEqual(expected);
    // Whoever made it can remove it.
    const removal = spawnSync(
      tool('setpriv'),
      ['--reuid', `${NOBODY}`, '--clear-groups', '--regid', `${NOBODY}`, 'rm', '-r', join(work, 'root')],
      { encoding: 'utf8' },
    );
    expect(removal.stderr).toBe('');
  });

  test.runIf(isRoot).each(HOSTS)('without fakeroot is told to install it ($sandbox)', ({ without }) => {
    const { status, output } = installAsNobody('install_ssi_debian', [...without, 'fakeroot']);
    expect(status, output).toBe(1);
    expect(output).toContain('Debian package fakeroot');
  });

  test.runIf(isRoot).each(HOSTS)(
    'without fakeroot installs what belongs to root ($sandbox)',
    ({ without }) => {
      const { status, facts, lines, output } = installAsNobody('environment', [...without, 'fakeroot']);
      expect(status, output).toBe(0);
      expect(JSON.parse(facts)).toMatchObject({ ownership: 'mapped', added: 1, changed: 0 });
      expect(lines.find((line) => line.includes('environment.txt'))).toContain('"uid":0,"gid":0');
      expect(lines.length).toBe(3);
    },
  );
});
