import {
  appendFileSync,
  chmodSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { readContent } from '../../../images/tree/content.js';
import { TreeBuilder } from '../../../images/tree/tree-builder.js';
import type { Stage } from '../../../pipelines/engine/stage.js';
import { withPatchedFs } from '../../support/patched-fs.js';
import { temporaryFolder } from '../../support/temporary.js';
import {
  buildIn,
  fileStage,
  leftovers,
  made,
  output,
  pipelineOf,
  recordsIn,
  stage,
  textOf,
  textStage,
} from './build-rig.js';

const moved = 'it changed while the build read it';

function rig() {
  const folder = temporaryFolder();
  const file = join(folder, 'input');
  writeFileSync(file, 'before');
  const tree = join(folder, 'tree');
  mkdirSync(join(tree, 'sub'), { recursive: true });
  writeFileSync(join(tree, 'sub/file'), 'before'.repeat(100));
  writeFileSync(join(tree, 'empty'), '');
  symlinkSync('sub', join(tree, 'link'));
  return { folder, file, tree };
}

const changes: readonly [string, (path: string) => void][] = [
  ['other bytes', (path) => writeFileSync(path, 'AFTER.')],
  [
    'other bytes of the same length and time',
    (path) => {
      writeFileSync(path, 'after.');
      utimesSync(path, 1, 1);
    },
  ],
  ['more bytes', (path) => appendFileSync(path, 'more')],
  [
    'another file',
    (path) => {
      writeFileSync(`${path}.new`, 'before');
      renameSync(`${path}.new`, path);
    },
  ],
  ['none', (path) => rmSync(path)],
];

test.each(changes)('a file that becomes %s while a stage runs: nothing is stored', async (_name, change) => {
  const { folder, file } = rig();
  const meddle = { on: true };
  const reader = textStage(
    'reader',
    async (context) => {
      const text = await textOf(context, 'file');
      if (meddle.on) change(file);
      return text;
    },
    { inputs: { file: { kind: 'file', path: file } } },
  );
  const pipeline = pipelineOf([reader], [output(reader)]);
  await expect(buildIn(folder, pipeline)).rejects.toThrow(moved);
  expect(recordsIn(folder).size).toBe(0);
  expect(leftovers(folder)).toEqual([]);
  writeFileSync(file, 'settled');
  meddle.on = false;
  expect((await buildIn(folder, pipeline)).ranStages).toEqual(['reader']);
});

const treeChanges: readonly [string, (path: string) => void][] = [
  ['other bytes in a file', (path) => writeFileSync(join(path, 'sub/file'), 'after.'.repeat(100))],
  ['a file more', (path) => writeFileSync(join(path, 'more'), 'x')],
  ['an empty file more', (path) => writeFileSync(join(path, 'sub/more'), '')],
  ['a file less', (path) => rmSync(join(path, 'empty'))],
  ['a directory more', (path) => mkdirSync(join(path, 'more'))],
  ['another name', (path) => renameSync(join(path, 'sub/file'), join(path, 'sub/file2'))],
  ['a file executable', (path) => chmodSync(join(path, 'empty'), 0o755)],
  [
    'another target of a link',
    (path) => {
      rmSync(join(path, 'link'));
      symlinkSync('sab', join(path, 'link'));
    },
  ],
];

test.each(treeChanges)(
  'a directory that gets %s while a stage runs: nothing is stored',
  async (_name, change) => {
    for (const what of ['contents', 'all'] as const) {
      const { folder, tree } = rig();
      const reader = stage({
        name: 'reader',
        inputs: { tree: { kind: 'directory', path: tree, what } },
        run: async (context) => {
          change(tree);
          return { artifacts: { result: { kind: 'tree', tree: await context.inputTree('tree') } } };
        },
      });
      const error = buildIn(folder, pipelineOf([reader], [output(reader)]));
      // A file that has another length is found out already when it is copied.
      await expect(error).rejects.toThrow(/it changed while|when it was listed|no such file/);
      expect(recordsIn(folder).size).toBe(0);
      expect(leftovers(folder)).toEqual([]);
    }
  },
);

/** Writes other bytes of the same length to a file just before, or just after, it is opened for the n-th time. */
async function changing<T>(
  path: string,
  turn: number,
  when: 'before' | 'after',
  work: () => Promise<T>,
): Promise<T> {
  const { closeSync, fstatSync, openSync } = await import('node:fs');
  const { ino } = statSync(path);
  let opened = 0;
  const change = (): void => writeFileSync(path, readFileSync(path, 'utf8').toUpperCase());
  const patches = {
    openSync: ((...parameters) => {
      const isIt = `${parameters[0]}` === path;
      if (isIt) opened += 1;
      if (isIt && opened === turn && when === 'before') {
        opened += 1;
        change();
      }
      return openSync(...parameters);
    }) as typeof openSync,
    closeSync: ((descriptor) => {
      const isIt = fstatSync(descriptor).ino === ino;
      closeSync(descriptor);
      if (isIt && opened === turn && when === 'after') {
        opened += 1;
        change();
      }
    }) as typeof closeSync,
  };
  const result = await withPatchedFs(patches, () => Promise.allSettled([work()]));
  expect(opened).toBeGreaterThan(turn);
  if (result[0].status === 'rejected') throw result[0].reason;
  return result[0].value;
}

test('an input that changes between two looks at it', async () => {
  for (const kind of ['file', 'directory'] as const) {
    const { folder, file, tree } = rig();
    const path = kind === 'file' ? file : join(tree, 'sub/file');
    const reader = stage({
      name: 'reader',
      inputs: { input: kind === 'file' ? { kind, path: file } : { kind, path: tree, what: 'contents' } },
      run: async (context) => ({
        artifacts: {
          result:
            kind === 'file'
              ? { kind: 'bytes', bytes: Buffer.from(await textOf(context, 'input')) }
              : { kind: 'tree', tree: await context.inputTree('input') },
        },
      }),
    });
    const pipeline = pipelineOf([reader], [output(reader)]);
    await expect(changing(path, 1, 'after', () => buildIn(folder, pipeline))).rejects.toThrow(moved);
    expect(recordsIn(folder).size).toBe(0);
  }
});

test('a directory that changes after the stage is done, while its tree is copied', async () => {
  const { folder, tree } = rig();
  const reader = stage({
    name: 'reader',
    inputs: { tree: { kind: 'directory', path: tree, what: 'contents' } },
    run: async (context) => ({
      artifacts: { result: { kind: 'tree', tree: await context.inputTree('tree') } },
    }),
  });
  const pipeline = pipelineOf([reader], [output(reader)]);
  const building = changing(join(tree, 'sub/file'), 2, 'before', () => buildIn(folder, pipeline));
  await expect(building).rejects.toThrow(moved);
  expect(recordsIn(folder).size).toBe(0);
  expect(leftovers(folder)).toEqual([]);
});

test('a file that a tree refers to moves while a later stage reads the tree', async () => {
  const { folder, file } = rig();
  writeFileSync(file, 'before'.repeat(1000));
  const meddle = { on: true };
  const first = stage({
    name: 'first',
    inputs: { file: { kind: 'file', path: file, inPlace: true } },
    run: async (context) => {
      const source = await context.inputSource('file');
      const builder = new TreeBuilder();
      const extents = [{ offset: 0, position: 0, length: source.size }];
      const attributes = { mode: 0o644, uid: 0, gid: 0, mtime: { seconds: 0, nanoseconds: 0 } };
      const content = { kind: 'extents', source, extents: () => extents } as const;
      builder.put('file', { ...attributes, type: 'file', size: source.size, content });
      return { artifacts: { result: { kind: 'tree', tree: builder.build() } } };
    },
  });
  const read = async (context: Parameters<Stage['run']>[0]): Promise<string> => {
    if (meddle.on) writeFileSync(file, 'AFTER!'.repeat(1000));
    const node = (await context.inputTree('tree')).get('file');
    if (node?.type !== 'file') throw new Error('no file');
    return readContent(node.content, node.size).toString();
  };
  const second = fileStage('second', read, { inputs: { tree: made(first) } });
  const pipeline = pipelineOf([first, second], [output(second)]);
  await expect(buildIn(folder, pipeline)).rejects.toThrow(moved);
  expect([...recordsIn(folder).keys()]).toEqual(['first']);
  meddle.on = false;
  expect((await buildIn(folder, pipeline)).ranStages).toEqual(['first', 'second']);
  // The tree lies in the cache, the file does not: a hit is no good without it.
  rmSync(file);
  await expect(buildIn(folder, pipeline)).rejects.toThrow('no such file');
});

test('an output of the build before that is read again and changes meanwhile', async () => {
  const { folder, file } = rig();
  const image = fileStage('image', () => 'image');
  const meddle = { on: false };
  const check = textStage(
    'check',
    async (context) => {
      const text = await textOf(context, 'image');
      if (meddle.on) writeFileSync(join(folder, 'out/image'), 'IMAGE');
      return `checked ${text}`;
    },
    { inputs: { image: made(image), file: { kind: 'file', path: file } } },
  );
  const pipeline = pipelineOf([image, check], [output(image), output(check)]);
  await buildIn(folder, pipeline);
  meddle.on = true;
  writeFileSync(file, 'another');
  await expect(buildIn(folder, pipeline)).rejects.toThrow(moved);
  meddle.on = false;
  const { warnings } = await buildIn(folder, pipeline);
  expect(warnings.join()).toContain('image.kept-1');
});

test('an input that is not there, or no file, is a clear error', async () => {
  const { folder, tree } = rig();
  const reading = (path: string) => {
    const reader = textStage('reader', () => '', { inputs: { file: { kind: 'file', path } } });
    return buildIn(folder, pipelineOf([reader], []));
  };
  await expect(reading(join(folder, 'none'))).rejects.toThrow('no such file or directory');
  await expect(reading(tree)).rejects.toThrow('it is no file');
  expect(leftovers(folder)).toEqual([]);
});
