import { type ByteString, textFromByteString } from '../../images/bytes/byte-string.js';
import { type Diagnostic, DiagnosticError } from '../../images/diagnostic.js';
import { type Change, diffTrees } from '../../images/tree/diff.js';
import type { Tree } from '../../images/tree/tree.js';
import { runProgram } from '../cluster-tools/run-program.js';
import type { Stage, StageContext, StageInput } from '../engine/stage.js';
import { treeOfSource } from '../open-image.js';
import { findProgram, PROGRAM_FOLDERS } from '../program-folders.js';
import type { Ext2Recipe } from '../recipe/recipe.js';

/** Faults shown: more say nothing new. */
const SHOWN = 20;
const BUG_HINT = 'The image that was just written is wrong: this is a bug, please report it.';
/** Seconds. */
const TIME_LIMIT = 3600;
const OUTPUT_BYTES_MAX = 64 * 1024;
/** e2fsck(8): "No errors". */
const CLEAN = 0;

/**
 * Reads an ext2 root back: every name, attribute and content must be what was put in. Where e2fsck is installed, it
 * judges the filesystem's structure too.
 */
export function ext2CheckStage(recipe: Ext2Recipe, rootImage: StageInput, tree: StageInput): Stage {
  const { image } = recipe.filesystem;
  return {
    name: 'check',
    title: 'Check the image',
    module: import.meta.url,
    parameters: {},
    inputs: { root: rootImage, tree },
    tools: [{ program: 'e2fsck', package: 'e2fsprogs', versionArguments: ['-V'], optional: true }],
    artifacts: [],
    keeping: 'stored',
    run: async (context) => {
      const names = await compare(context, image);
      const judge = await judged(context, image);
      return { artifacts: {}, facts: { names, e2fsck: judge } };
    },
  };
}

/** Throws a DiagnosticError with what is not as it was put in. Returns how many names there are. */
async function compare(context: StageContext, image: string): Promise<number> {
  const expected = await context.inputTree('tree');
  const { tree } = await treeOfSource(await context.inputSource('root'), context.pace);
  const faults: Diagnostic[] = [];
  for await (const { path, kind, fields } of diffTrees(expected, tree, context.pace)) {
    if (fields !== undefined && isTimeBeyond(expected, path, fields)) continue;
    const what = fields === undefined ? kind : `${Object.keys(fields).join(', ')} changed`;
    faults.push({
      kind: 'image',
      message: `it does not hold what was put in: ${what}`,
      location: { file: image, path: textFromByteString(path) },
      hint: BUG_HINT,
    });
    if (faults.length === SHOWN) break;
  }
  if (faults.length > 0) throw new DiagnosticError(faults);
  let names = 0;
  for (const _ of tree.entries()) names += 1;
  return names;
}

/** The last second that an inode of 128 bytes knows, from 1901 on. */
const SECONDS_MAX = 2 ** 31 - 1;

/** A time that ext2 has no place for was put in as the nearest one, and the user was told. */
function isTimeBeyond(expected: Tree, path: ByteString, fields: Readonly<Record<string, Change>>): boolean {
  const { seconds } = (expected.get(path) ?? expected.root).mtime;
  return Object.keys(fields).join() === 'mtime' && (seconds > SECONDS_MAX || seconds < -SECONDS_MAX - 1);
}

/** Whether e2fsck was there to judge. Throws a DiagnosticError with what it says against the image. */
async function judged(context: StageContext, image: string): Promise<boolean> {
  const program = findProgram('e2fsck');
  // Programs are run by bash, which ends them when this process dies.
  if (program === undefined || findProgram('bash') === undefined) return false;
  let output = '';
  const end = await runProgram([program, '-f', '-n', await context.inputPath('root')], {
    cwd: context.work,
    environment: { PATH: PROGRAM_FOLDERS.join(':'), LC_ALL: 'C' },
    timeLimit: TIME_LIMIT,
    signal: context.signal,
    onOutput: (chunk) => {
      if (output.length < OUTPUT_BYTES_MAX) output += chunk.toString('utf8');
    },
  });
  if (end.kind === 'exit' && end.code === CLEAN) return true;
  throw new DiagnosticError({
    kind: 'image',
    message: 'e2fsck finds faults in it',
    location: { file: image },
    excerpt: output.trim().split('\n').slice(-SHOWN),
    hint: BUG_HINT,
  });
}
