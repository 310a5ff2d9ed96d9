import { readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { readContent } from '../../../images/tree/content.js';
import { TreeBuilder } from '../../../images/tree/tree-builder.js';
import { sha256 } from '../../../pipelines/cache/canonical-json.js';
import type { Stage, StageContext, StageInput } from '../../../pipelines/engine/stage.js';
import { temporaryFolder } from '../../support/temporary.js';
import {
  buildIn,
  fileStage,
  made,
  output,
  outputText,
  pipelineOf,
  recordsIn,
  stage,
  textStage,
} from './build-rig.js';

const text = 'what the tree holds '.repeat(500);

/** A tree with one file, whose content is the input. */
function treeStage(input: StageInput): Stage {
  return stage({
    name: 'tree',
    inputs: { input },
    run: async (context) => {
      const source = await context.inputSource('input');
      const extents = [{ offset: 0, position: 0, length: source.size }];
      const builder = new TreeBuilder();
      builder.put('file', {
        type: 'file',
        mode: 0o644,
        uid: 0,
        gid: 0,
        mtime: { seconds: 0, nanoseconds: 0 },
        size: source.size,
        content: { kind: 'extents', source, extents: () => extents },
      });
      return { artifacts: { result: { kind: 'tree', tree: builder.build() } } };
    },
  });
}

async function contentOf(context: StageContext): Promise<string> {
  const node = (await context.inputTree('tree')).get('file');
  if (node?.type !== 'file') throw new Error('no file');
  return readContent(node.content, node.size).toString();
}

/** A tree, the same tree once more, and an image of it: the later two have one key whatever the first was made from. */
function pipelineFrom(input: StageInput, ...before: Stage[]) {
  const tree = treeStage(input);
  const again = stage({
    name: 'again',
    inputs: { tree: made(tree) },
    run: async (context) => ({
      artifacts: { result: { kind: 'tree', tree: await context.inputTree('tree') } },
    }),
  });
  const image = fileStage('image', contentOf, { inputs: { tree: made(again) } });
  return pipelineOf([...before, tree, again, image], [output(image)]);
}

test('a file in place is not copied into the cache, any other is', async () => {
  for (const inPlace of [true, false]) {
    const folder = temporaryFolder();
    const path = join(folder, 'input');
    writeFileSync(path, text);
    const pipeline = pipelineFrom({ kind: 'file', path, ...(inPlace ? { inPlace } : {}) });
    await buildIn(folder, pipeline);
    expect(outputText(folder, 'image')).toBe(text);
    expect(readdirSync(join(folder, 'cache/cas')).includes(sha256(text))).toBe(!inPlace);
    expect(recordsIn(folder).get('tree')?.record).toMatchObject({
      references: inPlace ? [] : [sha256(text)],
      hostFiles: inPlace ? [sha256(text)] : [],
    });
    rmSync(join(folder, 'out'), { recursive: true });
    expect((await buildIn(folder, pipeline)).ranStages).toEqual(['image']);
    expect(outputText(folder, 'image')).toBe(text);
  }
});

test('a file that was copied into the cache may change as soon as its stage is done', async () => {
  const folder = temporaryFolder();
  const path = join(folder, 'input');
  writeFileSync(path, text);
  const pipeline = pipelineFrom({ kind: 'file', path });
  const [tree, again, image] = pipeline.stages as [Stage, Stage, Stage];
  const meddling = {
    ...image,
    run: (context: StageContext) => {
      writeFileSync(path, text.toUpperCase());
      return image.run(context);
    },
  };
  await buildIn(folder, pipelineOf([tree, again, meddling], [output(meddling)]));
  expect(outputText(folder, 'image')).toBe(text);
});

test('the file may have moved since', async () => {
  const folder = temporaryFolder();
  for (const name of ['one', 'two']) {
    const path = join(folder, name);
    writeFileSync(path, text);
    const { ranStages } = await buildIn(folder, pipelineFrom({ kind: 'file', path, inPlace: true }));
    expect(ranStages).toEqual(name === 'one' ? ['tree', 'again', 'image'] : []);
    rmSync(path);
    rmSync(join(folder, 'out/image'), { force: true });
    writeFileSync(join(folder, 'another'), text);
    const moved = pipelineFrom({ kind: 'file', path: join(folder, 'another'), inPlace: true });
    expect((await buildIn(folder, moved)).ranStages).toEqual(['image']);
    expect(outputText(folder, 'image')).toBe(text);
  }
});

test.each(['damaged', 'gone'])(
  'a file in one recipe is a download in another: what is %s in the cache is made again',
  async (how) => {
    const folder = temporaryFolder();
    const path = join(folder, 'input');
    writeFileSync(path, text);
    await buildIn(folder, pipelineFrom({ kind: 'file', path, inPlace: true }), {
      out: join(folder, 'first'),
    });
    const download = textStage('download', () => text);
    const pipeline = pipelineFrom(made(download), download);
    // The trees are the same, and what follows from them is a hit.
    expect((await buildIn(folder, pipeline)).ranStages).toEqual(['download', 'tree', 'image']);
    const blob = join(folder, 'cache/cas', sha256(text));
    if (how === 'gone') rmSync(blob);
    else {
      const bytes = readFileSync(blob);
      bytes[100] = 0;
      writeFileSync(blob, bytes);
    }
    rmSync(join(folder, 'out'), { recursive: true });
    const { ranStages } = await buildIn(folder, pipeline);
    expect(ranStages).toContain('download');
    expect(outputText(folder, 'image')).toBe(text);
  },
);

test('a tree of a file that the cache does not keep has its contents in the cache', async () => {
  const folder = temporaryFolder();
  const kept = fileStage('file', () => text);
  const pipeline = pipelineFrom(made(kept), kept);
  await buildIn(folder, pipeline);
  for (let round = 0; round < 2; round++) {
    rmSync(join(folder, 'out'), { recursive: true });
    expect((await buildIn(folder, pipeline)).ranStages).toEqual(['image']);
    expect(outputText(folder, 'image')).toBe(text);
  }
});

test('a tree whose contents the cache lost is made again', async () => {
  const folder = temporaryFolder();
  const source = textStage('source', () => text);
  const pipeline = pipelineFrom(made(source), source);
  await buildIn(folder, pipeline);
  truncateSync(join(folder, 'cache/cas', sha256(text)), 10);
  rmSync(join(folder, 'out'), { recursive: true });
  const { ranStages, warnings } = await buildIn(folder, pipeline);
  expect(ranStages).toContain('source');
  expect(warnings.join()).toContain('put aside');
  expect(outputText(folder, 'image')).toBe(text);
});
