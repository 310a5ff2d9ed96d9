import {
  appendFileSync,
  cpSync,
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { SparseFile } from '../../../images/bytes/sparse-file.js';
import { nameOf, thisProcess } from '../../../pipelines/cache/process-identity.js';
import { readManifest } from '../../../pipelines/output/manifest.js';
import { withPatchedFs } from '../../support/patched-fs.js';
import { temporaryFolder } from '../../support/temporary.js';
import { run } from '../../support/tools.js';
import {
  buildIn,
  fileStage,
  leftovers,
  output,
  outputsIn,
  outputText,
  pipelineOf,
  stage,
  textStage,
} from '../engine/build-rig.js';

function pipeline(version = 1, extra: readonly string[] = []) {
  const image = fileStage('image', () => `image ${version}`, { parameters: version });
  const config = textStage('config', () => 'config');
  const more = extra.map((name) => textStage(name, () => name));
  const all = [image, config, ...more];
  return pipelineOf(all, all.map(output));
}

const dead = nameOf({ ...thisProcess, started: '1' });

test('the outputs, a manifest, and sums that sha256sum takes', async () => {
  const folder = temporaryFolder();
  await buildIn(folder, pipeline());
  expect(outputsIn(folder)).toMatchObject({ image: 'image 1', config: 'config' });
  expect(run('sh', ['-c', 'cd "$1" && sha256sum -c SHA256SUMS', 'sh', join(folder, 'out')])).toBe(
    'image: OK\nconfig: OK\n',
  );
  const manifest = readManifest(join(folder, 'out'));
  expect(manifest?.outputs.map(({ name, size }) => [name, size])).toEqual([
    ['image', 7],
    ['config', 6],
  ]);
  expect(manifest?.stages.map(({ name }) => name)).toEqual(['image', 'config']);
  for (const name of ['image', 'config']) {
    expect(statSync(join(folder, 'out', name)).mode & 0o777).toBe(0o666 & ~process.umask());
    expect(statSync(join(folder, 'out', name)).nlink).toBe(1);
  }
});

test('a folder with something else in it is refused and stays; an empty one is taken', async () => {
  const folder = temporaryFolder();
  const out = join(folder, 'out');
  mkdirSync(out);
  writeFileSync(join(out, 'mine'), 'mine');
  await expect(buildIn(folder, pipeline())).rejects.toThrow('it holds what no build made');
  expect(readdirSync(out)).toEqual(['mine']);
  writeFileSync(join(out, 'manifest.json'), '{"format":1,"outputs":[{"name":"../mine"}]}');
  await expect(buildIn(folder, pipeline())).rejects.toThrow('it holds what no build made');
  rmSync(join(out, 'manifest.json'));
  rmSync(join(out, 'mine'));
  await buildIn(folder, pipeline());
  expect(outputText(folder, 'image')).toBe('image 1');
  expect(leftovers(folder)).toEqual([]);
});

test('a build that fails leaves an empty folder empty', async () => {
  const folder = temporaryFolder();
  mkdirSync(join(folder, 'out'));
  const failing = textStage('failing', () => {
    throw new RangeError('no');
  });
  await expect(buildIn(folder, pipelineOf([failing], [output(failing)]))).rejects.toThrow('no');
  expect(readdirSync(join(folder, 'out'))).toEqual([]);
});

test.each(['a file', 'a link to nothing', 'a link to a file'])(
  '%s where the folder should be is refused',
  async (kind) => {
    const folder = temporaryFolder();
    const out = join(folder, 'out');
    writeFileSync(join(folder, 'file'), 'mine');
    if (kind === 'a file') writeFileSync(out, 'mine');
    else symlinkSync(kind === 'a link to nothing' ? 'none' : 'file', out);
    await expect(buildIn(folder, pipeline())).rejects.toThrow('it holds what no build made');
    expect(readFileSync(join(folder, 'file'), 'utf8')).toBe('mine');
    expect(leftovers(folder)).toEqual([]);
  },
);

test('a link to a folder stays a link; the lock is beside what it leads to', async () => {
  const folder = temporaryFolder();
  mkdirSync(join(folder, 'elsewhere/real'), { recursive: true });
  symlinkSync('elsewhere/real', join(folder, 'out'));
  await buildIn(folder, pipeline());
  await buildIn(folder, pipeline(2));
  expect(readlinkSync(join(folder, 'out'))).toBe('elsewhere/real');
  expect(readFileSync(join(folder, 'elsewhere/real/image'), 'utf8')).toBe('image 2');
  expect(readdirSync(join(folder, 'elsewhere'))).toEqual(['real']);
});

test('folders above are made', async () => {
  const folder = temporaryFolder();
  await buildIn(folder, pipeline(), { out: join(folder, 'a/b/c') });
  expect(readdirSync(join(folder, 'a/b/c')).length).toBe(4);
});

test('what the user has in the folder stays: files, folders, links, any name', async () => {
  const folder = temporaryFolder();
  const out = join(folder, 'out');
  await buildIn(folder, pipeline());
  mkdirSync(join(out, 'folder/sub'), { recursive: true });
  writeFileSync(join(out, 'folder/sub/file'), 'mine');
  writeFileSync(join(out, '.hidden'), 'mine');
  symlinkSync('nowhere', join(out, 'link'));
  const strange = Buffer.concat([Buffer.from(`${out}/`), Buffer.from([0xff, 0x0a])]);
  writeFileSync(strange, 'mine');
  for (const version of [2, 3]) {
    const { warnings } = await buildIn(folder, pipeline(version));
    expect(warnings).toEqual([]);
    expect(readFileSync(join(out, 'folder/sub/file'), 'utf8')).toBe('mine');
    expect(readFileSync(join(out, '.hidden'), 'utf8')).toBe('mine');
    expect(readlinkSync(join(out, 'link'))).toBe('nowhere');
    expect(readFileSync(strange, 'utf8')).toBe('mine');
    expect(outputText(folder, 'image')).toBe(`image ${version}`);
  }
});

test("a file of the user's with the name of a new output gets another", async () => {
  const folder = temporaryFolder();
  const out = join(folder, 'out');
  await buildIn(folder, pipeline());
  writeFileSync(join(out, 'extra'), 'mine');
  symlinkSync('nowhere', join(out, 'more'));
  writeFileSync(join(out, 'extra.kept-1'), 'mine too');
  const { warnings } = await buildIn(folder, pipeline(1, ['extra', 'more']));
  expect(outputText(folder, 'extra')).toBe('extra');
  expect(outputText(folder, 'more')).toBe('more');
  expect(outputText(folder, 'extra.kept-1')).toBe('mine too');
  expect(outputText(folder, 'extra.kept-2')).toBe('mine');
  expect(readlinkSync(join(out, 'more.kept-1'))).toBe('nowhere');
  expect(warnings.length).toBe(2);
});

const changes: readonly [string, (path: string) => void, (path: string) => void][] = [
  [
    'other bytes',
    (path) => writeFileSync(path, 'IMAGE 1'),
    (path) => expect(readFileSync(path, 'utf8')).toBe('IMAGE 1'),
  ],
  [
    'other bytes and the time of before',
    (path) => {
      const { atime, mtime } = statSync(path);
      writeFileSync(path, 'IMAGE 1');
      utimesSync(path, atime, mtime);
    },
    (path) => expect(readFileSync(path, 'utf8')).toBe('IMAGE 1'),
  ],
  [
    'more bytes',
    (path) => appendFileSync(path, '+'),
    (path) => expect(readFileSync(path, 'utf8')).toBe('image 1+'),
  ],
  [
    'a link',
    (path) => {
      rmSync(path);
      symlinkSync('config', path);
    },
    (path) => expect(readlinkSync(path)).toBe('config'),
  ],
  [
    'a folder',
    (path) => {
      rmSync(path);
      mkdirSync(path);
      writeFileSync(join(path, 'file'), 'mine');
    },
    (path) => expect(readFileSync(join(path, 'file'), 'utf8')).toBe('mine'),
  ],
];

test.each(changes)(
  'an output that the user made %s survives under another name, and it is said',
  async (_n, change, check) => {
    for (const version of [1, 2]) {
      const folder = temporaryFolder();
      await buildIn(folder, pipeline());
      change(join(folder, 'out/image'));
      const { warnings, unchanged } = await buildIn(folder, pipeline(version));
      expect(unchanged).toBe(false);
      expect(outputText(folder, 'image')).toBe(`image ${version}`);
      check(join(folder, 'out/image.kept-1'));
      expect(warnings).toEqual([
        `image is not as it was built: what was there is now ${join(folder, 'out/image.kept-1')}`,
      ]);
      expect(leftovers(folder)).toEqual([]);
      expect((await buildIn(folder, pipeline(version))).unchanged).toBe(true);
    }
  },
);

test('an output that is the same stays the same file; a copy of it or a lost sum is put right', async () => {
  const folder = temporaryFolder();
  const out = join(folder, 'out');
  await buildIn(folder, pipeline());
  const { ino } = statSync(join(out, 'config'));
  await buildIn(folder, pipeline(2));
  expect(statSync(join(out, 'config')).ino).toBe(ino);
  expect(statSync(join(out, 'config')).nlink).toBe(1);
  cpSync(join(out, 'config'), join(folder, 'copy'));
  renameSync(join(folder, 'copy'), join(out, 'config'));
  expect((await buildIn(folder, pipeline(2))).unchanged).toBe(true);
  for (const name of ['SHA256SUMS', 'manifest.json']) {
    const before = readFileSync(join(out, name), 'utf8');
    appendFileSync(join(out, name), ' ');
    expect((await buildIn(folder, pipeline(2))).unchanged).toBe(false);
    expect(readFileSync(join(out, name), 'utf8')).toBe(before);
  }
  rmSync(join(out, 'SHA256SUMS'));
  expect((await buildIn(folder, pipeline(2))).unchanged).toBe(false);
  expect(readdirSync(out).sort()).toEqual(['SHA256SUMS', 'config', 'image', 'manifest.json']);
});

test('two outputs with the same bytes are two files', async () => {
  const folder = temporaryFolder();
  const one = textStage('one', () => 'same');
  const two = fileStage('two', () => 'same');
  const twice = { name: 'again', stage: two, artifact: 'result' };
  const all = pipelineOf([one, two], [output(one), output(two), twice]);
  for (let round = 0; round < 3; round++) {
    const { unchanged } = await buildIn(folder, all);
    expect(unchanged).toBe(round > 0);
    const inodes = ['one', 'two', 'again'].map((name) => statSync(join(folder, 'out', name)).ino);
    expect(new Set(inodes).size).toBe(3);
  }
  rmSync(join(folder, 'out/two'));
  await buildIn(folder, all);
  const inodes = ['one', 'two', 'again'].map((name) => statSync(join(folder, 'out', name)).ino);
  expect(new Set(inodes).size).toBe(3);
});

test('files of stages are no outputs unless the recipe says so, and stages may call theirs the same', async () => {
  const folder = temporaryFolder();
  const scrap = fileStage('scrap', () => 'scrap');
  const image = fileStage('image', () => 'image');
  await buildIn(folder, pipelineOf([scrap, image], [{ name: 'root_fs', stage: image, artifact: 'result' }]));
  expect(readdirSync(join(folder, 'out')).sort()).toEqual(['SHA256SUMS', 'manifest.json', 'root_fs']);
  expect(outputText(folder, 'root_fs')).toBe('image');
});

test('an output that the recipe has no more goes, unless it was changed', async () => {
  const folder = temporaryFolder();
  await buildIn(folder, pipeline(1, ['extra', 'other']));
  writeFileSync(join(folder, 'out/other'), 'mine');
  await buildIn(folder, pipeline(1));
  expect(readdirSync(join(folder, 'out')).sort()).toEqual([
    'SHA256SUMS',
    'config',
    'image',
    'manifest.json',
    'other',
  ]);
  expect(outputText(folder, 'other')).toBe('mine');
});

test('sparse outputs stay sparse, and the manifest says what they take', async () => {
  const folder = temporaryFolder();
  const size = 256 * 1024 * 1024;
  const sparse = (name: string, keeping: 'stored' | 'digest') =>
    stage({
      name,
      keeping,
      run: async (context) => {
        const path = context.outputPath('result');
        const file = SparseFile.create(path, size);
        file.write(Buffer.from('start'), 0);
        file.write(Buffer.from('middle'), size / 2);
        file.close();
        return { artifacts: { result: { kind: 'file', path } } };
      },
    });
  const stages = [sparse('stored', 'stored'), sparse('digest', 'digest')];
  const { outputs } = await buildIn(folder, pipelineOf(stages, stages.map(output)));
  for (const { name, allocated, size: length } of outputs) {
    expect(length).toBe(size);
    expect(allocated).toBeLessThan(64 * 1024);
    expect(statSync(join(folder, 'out', name)).blocks * 512).toBe(allocated);
  }
  const [blob = ''] = readdirSync(join(folder, 'cache/cas'));
  expect(statSync(join(folder, 'cache/cas', blob)).blocks * 512).toBeLessThan(64 * 1024);
});

/** The folder as a build leaves it that dies between two steps of the change. */
function interrupted(folder: string, kind: 'new' | 'made' | 'old', id = dead): string {
  return join(folder, `.out.${id}.${kind}`);
}

test('a build that died before the change: what it made goes', async () => {
  const folder = temporaryFolder();
  await buildIn(folder, pipeline());
  for (const kind of ['new', 'made'] as const) {
    mkdirSync(interrupted(folder, kind));
    writeFileSync(join(interrupted(folder, kind), 'image'), 'half');
  }
  writeFileSync(join(folder, '.out.lock'), dead);
  expect((await buildIn(folder, pipeline())).unchanged).toBe(true);
  expect(leftovers(folder)).toEqual([]);
});

test('one that died in the middle of the change: the old outputs come back', async () => {
  const folder = temporaryFolder();
  await buildIn(folder, pipeline());
  writeFileSync(join(folder, 'out/mine'), 'mine');
  cpSync(join(folder, 'out'), interrupted(folder, 'new'), { recursive: true });
  renameSync(join(folder, 'out'), interrupted(folder, 'old'));
  expect((await buildIn(folder, pipeline())).unchanged).toBe(true);
  expect(outputText(folder, 'mine')).toBe('mine');
  expect(leftovers(folder)).toEqual([]);
});

test("one that died after it, however far it came: the old set goes, but for what is the user's", async () => {
  const removals = [[], ['image'], ['image', 'config'], ['image', 'config', 'SHA256SUMS']];
  for (const removed of removals) {
    const folder = temporaryFolder();
    const old = interrupted(folder, 'old');
    await buildIn(folder, pipeline());
    renameSync(join(folder, 'out'), join(folder, 'before'));
    await buildIn(folder, pipeline(2));
    renameSync(join(folder, 'before'), old);
    writeFileSync(join(old, 'mine'), 'mine');
    if (!removed.includes('config')) writeFileSync(join(old, 'config'), 'changed');
    for (const name of removed) rmSync(join(old, name));
    const { warnings } = await buildIn(folder, pipeline(2));
    expect(outputsIn(folder)).toMatchObject({ image: 'image 2', config: 'config', mine: 'mine' });
    expect(existsSync(join(folder, 'out/image.kept-1'))).toBe(false);
    if (!removed.includes('config')) expect(outputText(folder, 'config.kept-1')).toBe('changed');
    expect(warnings.length).toBe(removed.includes('config') ? 0 : 1);
    expect(leftovers(folder)).toEqual([]);
  }
});

test('one that fails to tidy up, at whatever step: nothing is lost and nothing is doubled', async () => {
  const { renameSync: rename, rmdirSync: rmdir, rmSync: rm } = await import('node:fs');
  for (let allowed = 0; allowed < 7; allowed++) {
    const folder = temporaryFolder();
    await buildIn(folder, pipeline());
    writeFileSync(join(folder, 'out/mine'), 'mine');
    let steps = 0;
    const step = (path: unknown): void => {
      if (!`${path}`.includes('.old/') && !`${path}`.endsWith('.old')) return;
      steps += 1;
      if (steps > allowed)
        throw Object.assign(new Error('EIO: i/o error'), { code: 'EIO', syscall: 'unlink' });
    };
    const patches = {
      rmSync: ((...parameters) => {
        step(parameters[0]);
        rm(...parameters);
      }) as typeof rm,
      rmdirSync: ((...parameters) => {
        step(parameters[0]);
        rmdir(...parameters);
      }) as typeof rmdir,
      renameSync: ((from, to) => {
        step(from);
        rename(from, to);
      }) as typeof rename,
    };
    const { warnings } = await withPatchedFs(patches, () => buildIn(folder, pipeline(2)));
    expect(warnings.length).toBe(steps > allowed ? 1 : 0);
    await buildIn(folder, pipeline(2));
    const expected = ['SHA256SUMS', 'config', 'image', 'manifest.json', 'mine'];
    expect(readdirSync(join(folder, 'out')).sort(), `after ${allowed} steps`).toEqual(expected);
    expect(outputText(folder, 'mine')).toBe('mine');
    expect(leftovers(folder)).toEqual([]);
  }
});

test('a change that fails half-way is taken back', async () => {
  const { renameSync: rename } = await import('node:fs');
  const folder = temporaryFolder();
  await buildIn(folder, pipeline());
  const renameSync_ = ((from, to) => {
    if (`${from}`.endsWith('.new'))
      throw Object.assign(new Error('EIO: i/o error'), { code: 'EIO', syscall: 'rename' });
    rename(from, to);
  }) as typeof rename;
  const building = withPatchedFs({ renameSync: renameSync_ }, () => buildIn(folder, pipeline(2)));
  await expect(building).rejects.toThrow('input/output error');
  expect(outputsIn(folder)).toMatchObject({ image: 'image 1' });
  expect(leftovers(folder)).toEqual([]);
});

test('what another build has at hand stays', async () => {
  const folder = temporaryFolder();
  // A folder that is called like the part of another build, and that process lives: this one's parent.
  const stat = readFileSync(`/proc/${process.ppid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  const alive = nameOf({ ...thisProcess, pid: process.ppid, started: stat[19] ?? '' });
  const busy = join(folder, `.out.until-image.${alive}.new`);
  mkdirSync(busy);
  const others = [join(folder, '.out.txt'), join(folder, '.out.backup.old'), join(folder, '.outer.lock')];
  for (const path of others) writeFileSync(path, 'mine');
  await buildIn(folder, pipeline());
  expect(existsSync(busy)).toBe(true);
  for (const path of others) expect(readFileSync(path, 'utf8')).toBe('mine');
});

test('what a dead build left of a part is put right by any build', async () => {
  const folder = temporaryFolder();
  await buildIn(folder, pipeline(), { until: 'image' });
  renameSync(join(folder, 'out.until-image'), join(folder, `.out.until-image.${dead}.old`));
  mkdirSync(join(folder, `.out.until-image.${dead}.new`));
  await buildIn(folder, pipeline());
  expect(readFileSync(join(folder, 'out.until-image/image'), 'utf8')).toBe('image 1');
  expect(leftovers(folder)).toEqual([]);
});

const testAsRoot = process.getuid?.() === 0 ? test : test.skip;

testAsRoot(
  'what can not be moved out of the old set stays and is named [needs root for a mount]',
  async () => {
    const folder = temporaryFolder();
    await buildIn(folder, pipeline());
    const mount = join(folder, 'out/mount');
    mkdirSync(mount);
    run('mount', ['-t', 'tmpfs', 'none', mount]);
    let old: string | undefined;
    try {
      const { warnings } = await buildIn(folder, pipeline(2));
      expect(outputText(folder, 'image')).toBe('image 2');
      old = readdirSync(folder).find((name) => name.endsWith('.old'));
      expect(warnings.join()).toContain(`is in part still in ${join(folder, old ?? '')}`);
      await buildIn(folder, pipeline(2));
    } finally {
      run('umount', [join(folder, old ?? 'out', 'mount')]);
    }
    await buildIn(folder, pipeline(2));
    expect(readdirSync(join(folder, 'out'))).toContain('mount');
    expect(leftovers(folder)).toEqual([]);
  },
);

testAsRoot('a folder with another filesystem on it is refused at once [needs root for a mount]', async () => {
  const folder = temporaryFolder();
  const out = join(folder, 'out');
  mkdirSync(out);
  run('mount', ['-t', 'tmpfs', 'none', out]);
  try {
    await expect(buildIn(folder, pipeline())).rejects.toThrow('another filesystem is mounted there');
    await buildIn(folder, pipeline(), { out: join(out, 'inside') });
  } finally {
    run('umount', [out]);
  }
});

test('outputs that are other names of one file are not changed in place', async () => {
  const folder = temporaryFolder();
  await buildIn(folder, pipeline());
  linkSync(join(folder, 'out/image'), join(folder, 'mine'));
  await buildIn(folder, pipeline(2));
  expect(readFileSync(join(folder, 'mine'), 'utf8')).toBe('image 1');
});
