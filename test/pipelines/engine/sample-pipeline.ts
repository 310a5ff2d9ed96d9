import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { SparseStream } from '../../../images/bytes/sparse-stream.js';
import { readContent } from '../../../images/tree/content.js';
import { overlay } from '../../../images/tree/overlay.js';
import { TreeBuilder } from '../../../images/tree/tree-builder.js';
import type { StageContext, StageResult } from '../../../pipelines/engine/stage.js';
import type { Pipeline } from '../../../pipelines/pipeline.js';
import { made, output, pipelineOf, stage, textStage } from './build-rig.js';

const HOLE_BYTES = 2 * 1024 * 1024;

/** Writes what `samplePipeline` reads. */
export function writeSampleInputs(folder: string): void {
  mkdirSync(join(folder, 'tree/sub'), { recursive: true });
  writeFileSync(join(folder, 'base'), 'base '.repeat(20_000));
  for (let number = 0; number < 12; number++)
    writeFileSync(join(folder, `tree/sub/${number}`), `${number} `.repeat(number * 300));
}

/**
 * Seven stages with everything that stages do: files, bytes and trees, contents that lie in the cache and in the user's
 * own files, an image that is not kept, a check. With `pause` they take their time, so that a test can come between.
 */
export function samplePipeline(folder: string, pause = 0, greeting = 'hello'): Pipeline {
  const rest = async (context: StageContext): Promise<void> => {
    if (pause > 0) await sleep(pause);
    context.pace.check();
  };
  const base = stage({
    name: 'base',
    inputs: { file: { kind: 'file', path: join(folder, 'base') } },
    run: async (context) => {
      const text = readFileSync(await context.inputPath('file'));
      return writing(context, async (stream) => {
        for (let offset = 0; offset < text.length; offset += 30_000) {
          stream.append(text.subarray(offset, offset + 30_000));
          await rest(context);
        }
        stream.append(Buffer.alloc(HOLE_BYTES));
      });
    },
  });
  const baseTree = stage({
    name: 'base-tree',
    inputs: { base: made(base), own: { kind: 'file', path: join(folder, 'base'), inPlace: true } },
    run: async (context) => {
      const tree = await treeOf(context, ['base', 'own']);
      await rest(context);
      return { artifacts: { result: { kind: 'tree', tree } } };
    },
  });
  const added = stage({
    name: 'added',
    inputs: { folder: { kind: 'directory', path: join(folder, 'tree'), what: 'contents' } },
    run: async (context) => {
      await rest(context);
      return { artifacts: { result: { kind: 'tree', tree: await context.inputTree('folder') } } };
    },
  });
  const merged = stage({
    name: 'merged',
    inputs: { base: made(baseTree), added: made(added) },
    run: async (context) => {
      const tree = overlay(await context.inputTree('base'), await context.inputTree('added'));
      await rest(context);
      return { artifacts: { result: { kind: 'tree', tree } } };
    },
  });
  const config = textStage(
    'config',
    async (context) => {
      await rest(context);
      return `greeting ${greeting}\n`;
    },
    { parameters: { greeting } },
  );
  const image = stage({
    name: 'image',
    keeping: 'digest',
    inputs: { tree: made(merged), config: made(config) },
    run: async (context) => {
      const config = readFileSync(await context.inputPath('config'));
      const tree = await context.inputTree('tree');
      return writing(context, async (stream) => {
        stream.append(config);
        for (const { path, node } of tree.entries()) {
          if (node.type !== 'file') continue;
          stream.append(Buffer.from(`${path} ${node.size}\n`));
          stream.append(readContent(node.content, node.size));
          if (node.size > 2000) await rest(context);
        }
      });
    },
  });
  const check = stage({
    name: 'check',
    artifacts: [],
    inputs: { image: made(image) },
    run: async (context) => {
      const text = readFileSync(await context.inputPath('image'), 'latin1');
      await rest(context);
      return { artifacts: {}, facts: { greets: text.startsWith('greeting') } };
    },
  });
  const stages = [base, baseTree, added, merged, config, image, check];
  return { ...pipelineOf(stages, [output(image), output(config), output(base)]), checks: [check] };
}

/** Makes a file in pieces. What is half done when it fails is for the engine to remove. */
async function writing(
  context: StageContext,
  write: (stream: SparseStream) => Promise<void>,
): Promise<StageResult> {
  const path = context.outputPath('result');
  const stream = new SparseStream(path);
  try {
    await write(stream);
    stream.close();
  } finally {
    stream.abandon();
  }
  return { artifacts: { result: { kind: 'file', path } } };
}

/** Two files in one folder whose contents are inputs, where they lie. */
async function treeOf(context: StageContext, names: readonly string[]) {
  const builder = new TreeBuilder();
  for (const name of names) {
    const source = await context.inputSource(name);
    const extent = { offset: 0, position: 0, length: source.size };
    builder.put(`from/${name}`, {
      type: 'file',
      mode: 0o644,
      uid: 0,
      gid: 0,
      mtime: { seconds: 0, nanoseconds: 0 },
      size: source.size,
      content: { kind: 'extents', source, extents: () => [extent] },
    });
  }
  return builder.build();
}
