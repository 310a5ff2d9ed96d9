import { execFileSync } from 'node:child_process';
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { thisProcess } from '../../../pipelines/cache/process-identity.js';
import { cleanHost, leftovers } from '../../../pipelines/host/host-lock.js';
import { Journal } from '../../../pipelines/host/journal.js';
import { identityOf, type Made } from '../../../pipelines/host/made.js';
import { loopMountFault } from '../../support/loop-mount.js';
import { temporaryFolder } from '../../support/temporary.js';
import { describeUnless } from '../../support/tools.js';

let folder: string;
let state: string;

beforeEach(() => {
  folder = temporaryFolder();
  state = join(folder, 'state');
  mkdirSync(state);
  process.env.SSI_IMAGES_HOST_STATE = state;
});

/** A journal of a process that is no more, of this boot unless told otherwise. */
function leaveJournal(made: readonly Made[], boot = thisProcess.boot): string {
  const path = join(state, `1_1_${thisProcess.boot}_${thisProcess.namespace.replace(/\D/g, '')}.journal`);
  writeFileSync(path, made.map((each, id) => `${JSON.stringify({ id, made: each, boot })}\n`).join(''));
  return path;
}

describe('the journal of a host build', () => {
  test('is on disk before anything is made, and gone when nothing stands', () => {
    const journal = Journal.begin(state);
    const id = journal.note({ kind: 'folder', path: '/nowhere' });
    expect(readFileSync(journal.path, 'utf8')).toContain('"/nowhere"');
    // This process lives: what stands is its own.
    expect(leftovers()).toEqual([]);
    journal.noteUndone(id);
    journal.close();
    expect(readdirSync(state)).toEqual([]);
  });

  test('of a dead process is cleared up, empty folders only', async () => {
    const [empty, full] = [join(folder, 'empty'), join(folder, 'full')];
    for (const path of [empty, full]) mkdirSync(path);
    writeFileSync(join(full, 'file'), '');
    const journal = leaveJournal([
      { kind: 'folder', path: empty },
      { kind: 'folder', path: full },
      { kind: 'folder', path: join(folder, 'never-made') },
    ]);
    expect(leftovers()).toHaveLength(3);
    await cleanHost();
    expect([existsSync(empty), existsSync(join(full, 'file')), existsSync(journal)]).toEqual([
      false,
      true,
      false,
    ]);
  });

  test('may be cut off or damaged: what can not be read was not made, or is left alone', async () => {
    const path = leaveJournal([{ kind: 'folder', path: join(folder, 'none') }]);
    appendFileSync(
      path,
      '{"id":7,"made":{"kind":"mount","target":5},"boot":"x"}\nnot json\n{"id":1,"made":{"ki',
    );
    expect(leftovers()).toEqual([{ kind: 'folder', path: join(folder, 'none') }]);
    await cleanHost();
    expect(readdirSync(state)).toEqual([]);
  });

  test('of another boot speaks of no loop devices and mounts', () => {
    const image = { path: '/x', device: '1:1', inode: '1' };
    leaveJournal(
      [
        { kind: 'loop', image },
        { kind: 'mount', target: '/mnt', of: { image } },
      ],
      'another-boot',
    );
    expect(leftovers()).toEqual([]);
  });
});

describeUnless(loopMountFault(), 'loop devices left behind', () => {
  function image(name: string): string {
    const path = join(folder, name);
    writeFileSync(path, '');
    truncateSync(path, 1024 * 1024);
    return path;
  }

  const attach = (path: string): string =>
    execFileSync('losetup', ['--find', '--show', path], { encoding: 'utf8' }).trim();
  const isAttached = (path: string): boolean =>
    execFileSync('losetup', ['--list', '--noheadings', '--output', 'BACK-FILE'], { encoding: 'utf8' })
      .split('\n')
      .some((line) => line.startsWith(path));

  test('are released, also when their file is gone; those of other files stay', async () => {
    const [own, removed, other] = [image('own'), image('removed'), image('other')];
    const identities = [own, removed].map(identityOf);
    const devices = [own, removed, other].map(attach);
    try {
      execFileSync('rm', [removed]);
      leaveJournal(identities.map((identity) => ({ kind: 'loop', image: identity })));
      await cleanHost();
      expect([own, removed, other].map(isAttached)).toEqual([false, false, true]);
    } finally {
      execFileSync('losetup', ['--detach', devices[2] ?? '']);
    }
  });

  test('stay when the name now is that of another file', async () => {
    const path = image('image');
    const before = identityOf(path);
    const device = attach(path);
    try {
      leaveJournal([{ kind: 'loop', image: { ...before, inode: `${Number(before.inode) + 1}` } }]);
      await cleanHost();
      expect(isAttached(path)).toBe(true);
    } finally {
      execFileSync('losetup', ['--detach', device]);
    }
  });
});
