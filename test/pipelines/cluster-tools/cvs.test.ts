import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { DiagnosticError } from '../../../images/diagnostic.js';
import { type CvsModule, checkoutCvs } from '../../../pipelines/cluster-tools/cvs.js';
import { temporaryFolder } from '../../support/temporary.js';
import { describeWith, run } from '../../support/tools.js';

const scratch = temporaryFolder();
const repository = join(scratch, 'a repository');
const options = { timeLimit: 60 };

/** A repository with a module of two revisions, the first of them tagged, and programs that it names to be run. */
function makeRepository(): void {
  const env = { CVSROOT: repository };
  run('cvs', ['init'], { env });
  const work = join(scratch, 'work');
  mkdirSync(join(work, 'sub'), { recursive: true });
  writeFileSync(join(work, 'Makefile'), 'install_ssi_redhat:\n\ttrue # 1\n');
  writeFileSync(join(work, 'sub/tool.sh'), '#!/bin/sh\n');
  chmodSync(join(work, 'sub/tool.sh'), 0o755);
  run('cvs', ['-Q', 'import', '-m', 'first', 'cluster-tools', 'vendor', 'v0_6_5'], { env, cwd: work });
  const checkout = join(scratch, 'checkout');
  mkdirSync(checkout);
  run('cvs', ['-Q', 'checkout', 'cluster-tools', 'CVSROOT'], { env, cwd: checkout });
  writeFileSync(join(checkout, 'cluster-tools/Makefile'), 'install_ssi_redhat:\n\ttrue # 2\n');
  writeFileSync(join(checkout, 'CVSROOT/modules'), `evil -e ${join(scratch, 'evil.sh')} cluster-tools\n`);
  writeFileSync(join(scratch, 'evil.sh'), `#!/bin/sh\ntouch '${join(scratch, 'evil-was-here')}'\n`, {
    mode: 0o755,
  });
  // A revision must be later than the one before it, in whole seconds.
  run('sleep', ['1.1']);
  run('cvs', ['-Q', 'commit', '-m', 'second'], { env, cwd: checkout });
}

async function checkout(source: Partial<CvsModule>, more: { signal?: AbortSignal } = {}): Promise<string> {
  const folder = join(mkdtempSync(join(scratch, 'to-')), 'source');
  await checkoutCvs({ root: repository, module: 'cluster-tools', ...source }, folder, {
    ...options,
    ...more,
  });
  return folder;
}

async function failureOf(source: Partial<CvsModule>): Promise<string> {
  try {
    await checkout(source);
  } catch (error) {
    if (error instanceof DiagnosticError) return error.message;
    throw error;
  }
  throw new Error('it did not fail');
}

describeWith(['cvs'], 'A CVS module', () => {
  beforeAll(makeRepository);

  test('comes as it is now, without the folders of CVS', async () => {
    const folder = await checkout({});
    expect(readFileSync(join(folder, 'Makefile'), 'utf8')).toContain('# 2');
    expect(readdirSync(folder, { recursive: true }).sort()).toEqual(['Makefile', 'sub', 'sub/tool.sh']);
    expect(readdirSync(join(folder, '..'))).toEqual(['source']);
  });

  test('comes as it was under a tag, and at a date', async () => {
    const tagged = await checkout({ root: `:local:${repository}`, tag: 'v0_6_5' });
    expect(readFileSync(join(tagged, 'Makefile'), 'utf8')).toContain('# 1');
    const dated = await checkout({ date: '2038-01-01' });
    expect(readFileSync(join(dated, 'Makefile'), 'utf8')).toContain('# 2');
  });

  test('has nothing in the repository run, and reads nobody`s settings', async () => {
    const home = join(scratch, 'home');
    mkdirSync(home);
    writeFileSync(join(home, '.cvsrc'), 'cvs -d /nowhere\nexport -r v0_6_5\n');
    const before = { HOME: process.env.HOME, CVSROOT: process.env.CVSROOT };
    Object.assign(process.env, { HOME: home, CVSROOT: '/nowhere', CVS_RSH: join(scratch, 'evil.sh') });
    try {
      const folder = await checkout({ module: 'evil' });
      expect(readFileSync(join(folder, 'Makefile'), 'utf8')).toContain('# 2');
      expect(existsSync(join(scratch, 'evil-was-here'))).toBe(false);
    } finally {
      delete process.env.CVS_RSH;
      for (const key of ['HOME', 'CVSROOT'] as const) {
        if (before[key] === undefined) delete process.env[key];
        else process.env[key] = before[key];
      }
    }
  });

  test.each([
    [
      { module: 'no-such-module' },
      /cvs export of no-such-module from .* failed with exit code 1\n.*cannot find module/,
    ],
    [{ tag: 'no-such-tag' }, /no such tag/],
    [{ root: '/nowhere' }, /failed with exit code 1\n.*nowhere/],
    [{ date: '1970-02-30 99:99' }, /Can't parse date/],
    [{ date: '1990-01-01' }, /has no files at that date/],
    [
      { root: ':pserver:anonymous:secret@localhost:1/cvsroot' },
      /from :pserver:anonymous:…@localhost:1\/cvsroot failed/,
    ],
  ])('that can not be had says why, and leaves nothing: %j', async (source, message) => {
    const found = await failureOf(source);
    expect(found).toMatch(message);
    expect(found).not.toContain('secret');
    expect(
      readdirSync(scratch)
        .filter((name) => name.startsWith('to-'))
        .flatMap((name) => readdirSync(join(scratch, name)))
        .filter((name) => name !== 'source'),
    ).toEqual([]);
  });

  test('is given up on when the user has enough', async () => {
    const aborted = checkout({}, { signal: AbortSignal.abort() });
    await expect(aborted).rejects.toMatchObject({ diagnostics: [{ kind: 'interrupted' }] });
  });
});

describe('What could make cvs run something', () => {
  test.each([
    ':fork:/repository',
    ':ext;CVS_RSH=evil:host:/repository',
    ':ext:-oProxyCommand=evil:/repository',
    ':ext:user@-oProxyCommand=evil:/repository',
    ':extssh:host:/repository',
    ':pserver;proxy=evil:host:/repository',
    '-t',
    'host:/repository',
    'relative/path',
    ':local:relative',
    '',
  ])('is no root: %j', async (root) => {
    expect(await failureOf({ root })).toContain('is not a CVS root that can be used');
  });

  test.each(['-l', '../up', 'a/../b', '/absolute', '', 'a//b', '.'])('is no module: %j', async (module) => {
    const message = await failureOf({ module });
    expect(message).toContain('is not the name of a CVS module');
  });

  test.each([
    [{ tag: '-f' }, 'is not a CVS tag'],
    [{ tag: '1.5' }, 'is not a CVS tag'],
    [{ date: '-f' }, 'is not a date'],
    [{ tag: 'a', date: 'now' }, 'a tag and a date'],
  ])('is no revision: %j', async (source, message) => {
    expect(await failureOf(source)).toContain(message);
  });
});
