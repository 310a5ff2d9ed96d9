import { createHash } from 'node:crypto';
import {
  chmodSync,
  cpSync,
  lchownSync,
  linkSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Pace } from '../../../images/bytes/pace.js';
import { Cache } from '../../../pipelines/cache/cache.js';
import type { JsonValue } from '../../../pipelines/cache/canonical-json.js';
import { keyOf } from '../../../pipelines/cache/record.js';
import { HostInputs, keyFieldsOf } from '../../../pipelines/engine/key.js';
import type { Stage, StageInput } from '../../../pipelines/engine/stage.js';
import { temporaryFolder } from '../../support/temporary.js';
import { buildIn, fileStage, made, output, pipelineOf, stage, textOf, textStage } from './build-rig.js';

/** The key of a stage whose inputs lie on the host. */
async function keyOfStage(fields: Partial<Stage>, folder = temporaryFolder()): Promise<string> {
  const made = stage({ name: 'stage', run: async () => ({ artifacts: {} }), ...fields });
  const inputs = new HostInputs(Cache.open(join(folder, 'cache')).statCache, new Pace());
  const resolved = new Map();
  for (const [name, input] of Object.entries(made.inputs))
    if (input.kind !== 'artifact') resolved.set(name, await inputs.resolve(input));
  return keyOf(await keyFieldsOf(made, resolved));
}

test('the name, each parameter and the names of inputs change the key', async () => {
  const folder = temporaryFolder();
  writeFileSync(join(folder, 'input'), 'bytes');
  const input: StageInput = { kind: 'file', path: join(folder, 'input') };
  const parameters = { pools: [{ size: 1, name: 'a' }], on: true };
  const all: Partial<Stage>[] = [
    { parameters, inputs: { input } },
    { parameters, inputs: { input }, name: 'another' },
    { parameters, inputs: { other: input } },
    { parameters, inputs: { input, more: input } },
    { parameters, inputs: {} },
    { parameters: { ...parameters, on: false }, inputs: { input } },
    { parameters: { ...parameters, on: 'true' }, inputs: { input } },
    { parameters: { ...parameters, more: null }, inputs: { input } },
    { parameters: { pools: [{ size: 2, name: 'a' }], on: true }, inputs: { input } },
    { parameters: { pools: [{ size: 1, name: 'b' }], on: true }, inputs: { input } },
    { parameters: { pools: [], on: true }, inputs: { input } },
    { parameters: null, inputs: { input } },
  ];
  const keys = await Promise.all(all.map((fields) => keyOfStage(fields)));
  expect(new Set(keys).size).toBe(all.length);
});

test('the order of parameters does not matter', async () => {
  expect(await keyOfStage({ parameters: { a: 1, b: { c: 2, d: 3 } } })).toBe(
    await keyOfStage({ parameters: { b: { d: 3, c: 2 }, a: 1 } }),
  );
});

test('no two parameters share a key', async () => {
  const alike: JsonValue[] = [
    { a: { b: 1 } },
    { 'a.b': 1 },
    { a: [1] },
    { a: { 0: 1 } },
    { 'a[0]': 1 },
    { 'a["0"]': 1 },
    { a: [] },
    { a: {} },
    { a: '[]' },
    { a: '{}' },
    { a: null },
    { a: 'null' },
    { '': null },
    null,
    {},
    [],
    [null],
    { a: 1, b: 2 },
    { a: '1 b=2' },
  ];
  const keys = await Promise.all(alike.map((parameters) => keyOfStage({ parameters })));
  expect(new Set(keys).size).toBe(alike.length);
  // Names with all that could be taken for a part of a path.
  const name = fc.string({ unit: fc.constantFrom('a', '.', '[', ']', '0', '"', '\\') });
  const value = fc.jsonValue({ maxDepth: 2 }) as fc.Arbitrary<JsonValue>;
  await fc.assert(
    fc.asyncProperty(fc.dictionary(name, value), fc.dictionary(name, value), async (one, other) => {
      const same = JSON.stringify(sorted(one)) === JSON.stringify(sorted(other));
      expect((await keyOfStage({ parameters: one })) === (await keyOfStage({ parameters: other }))).toBe(
        same,
      );
    }),
    { numRuns: 30 },
  );
});

function sorted(value: JsonValue | undefined): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(sorted);
  return Object.entries(value)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, inner]) => [name, sorted(inner as JsonValue)]);
}

test('the version of a tool changes the key, and that it is missing', async () => {
  const folder = temporaryFolder();
  const tool = (name: string, says: string): Partial<Stage> => {
    const program = join(folder, name);
    writeFileSync(program, `#!/bin/sh\n${says}\n`, { mode: 0o755 });
    return { tools: [{ program, package: 'p', versionArguments: ['--version'] }] };
  };
  // The program's name is a part of the key too: so the versions are compared, not the keys.
  const versionOf = async (fields: Partial<Stage>): Promise<string | undefined> => {
    const [program] = fields.tools ?? [];
    const made = stage({ name: 'stage', run: async () => ({ artifacts: {} }), ...fields });
    return (await keyFieldsOf(made, new Map()))[`tool ${program?.program}`];
  };
  expect(await versionOf(tool('one', 'echo; echo "tool 1.0"; echo more'))).toBe('tool 1.0');
  expect(await versionOf(tool('two', 'echo "tool 2.0" >&2; exit 3'))).toBe('tool 2.0');
  expect(await versionOf(tool('mute', 'cat'))).toBe('present');
  const missing = { program: join(folder, 'none'), package: 'p', versionArguments: [] };
  expect(await versionOf({ tools: [missing] })).toBe('missing');
});

test('only the bytes of a file count; with `mode` also whether it is executable', async () => {
  const folder = temporaryFolder();
  const path = join(folder, 'input');
  const key = (mode?: true) =>
    keyOfStage(
      { inputs: { input: { kind: 'file', path, ...(mode === undefined ? {} : { mode }) } } },
      folder,
    );
  writeFileSync(path, 'bytes');
  const before = await key();
  const beforeWithMode = await key(true);
  utimesSync(path, 1, 1);
  chmodSync(path, 0o600);
  expect(await key()).toBe(before);
  expect(await key(true)).toBe(beforeWithMode);
  chmodSync(path, 0o755);
  expect(await key()).toBe(before);
  expect(await key(true)).not.toBe(beforeWithMode);
  writeFileSync(path, 'bytez');
  expect(await key()).not.toBe(before);
});

test('a file under another path, and one in another folder, give the same key', async () => {
  const keys = new Set<string>();
  for (const name of ['input', 'renamed', 'deep/er']) {
    const path = join(temporaryFolder(), name);
    mkdirSync(join(path, '..'), { recursive: true });
    writeFileSync(path, 'bytes');
    keys.add(await keyOfStage({ inputs: { input: { kind: 'file', path } } }));
  }
  expect(keys.size).toBe(1);
});

test('the time zone, the umask, the clock and the environment are no part of the key', async () => {
  const before = await keyOfStage({ parameters: { a: 1 } });
  const { TZ } = process.env;
  process.env.TZ = 'Pacific/Kiritimati';
  process.env.SOURCE_DATE_EPOCH = '12345';
  process.env.LANG = 'tr_TR.UTF-8';
  const now = Date.now;
  Date.now = () => 0;
  try {
    expect(await keyOfStage({ parameters: { a: 1 } })).toBe(before);
  } finally {
    Date.now = now;
    if (TZ === undefined) delete process.env.TZ;
    else process.env.TZ = TZ;
    delete process.env.SOURCE_DATE_EPOCH;
    delete process.env.LANG;
  }
});

function sampleFolder(path: string): void {
  mkdirSync(join(path, 'sub/empty'), { recursive: true });
  writeFileSync(join(path, 'script'), '#!/bin/sh\n', { mode: 0o755 });
  writeFileSync(join(path, 'sub/text'), 'text', { mode: 0o644 });
  writeFileSync(join(path, 'sub/same'), 'text', { mode: 0o644 });
  writeFileSync(join(path, 'nothing'), '');
  symlinkSync('sub/text', join(path, 'link'));
}

/** What may be done to a directory, and for which of the two kinds of input it matters. */
const changes: [string, (path: string) => void, contents: boolean, all: boolean][] = [
  ['nothing', () => {}, false, false],
  ['times', (path) => utimesSync(join(path, 'sub/text'), 1, 1), false, true],
  ['times of a directory', (path) => utimesSync(join(path, 'sub'), 1, 1), false, true],
  ['times of a link', (path) => lutimesSync(join(path, 'link'), 1, 1), false, true],
  ['644 to 664', (path) => chmodSync(join(path, 'sub/text'), 0o664), false, true],
  ['mode of a directory', (path) => chmodSync(join(path, 'sub'), 0o700), false, true],
  ['executable', (path) => chmodSync(join(path, 'sub/text'), 0o744), true, true],
  ['not executable', (path) => chmodSync(join(path, 'script'), 0o644), true, true],
  ['a byte', (path) => writeFileSync(join(path, 'sub/text'), 'texT'), true, true],
  ['a name', (path) => renameSync(join(path, 'sub/text'), join(path, 'sub/text2')), true, true],
  ['an empty file more', (path) => writeFileSync(join(path, 'sub/more'), ''), true, true],
  ['an empty file less', (path) => rmSync(join(path, 'nothing')), true, true],
  ['an empty directory less', (path) => rmSync(join(path, 'sub/empty'), { recursive: true }), true, true],
  [
    'the target of a link',
    (path) => {
      rmSync(join(path, 'link'));
      symlinkSync('sub/tex', join(path, 'link'));
    },
    true,
    true,
  ],
  [
    'a file for a link',
    (path) => {
      rmSync(join(path, 'link'));
      writeFileSync(join(path, 'link'), 'sub/text');
    },
    true,
    true,
  ],
  [
    'a hard link for a copy',
    (path) => {
      rmSync(join(path, 'sub/same'));
      linkSync(join(path, 'sub/text'), join(path, 'sub/same'));
    },
    false,
    true,
  ],
];

if (process.getuid?.() === 0) {
  changes.push(['the owner', (path) => lchownSync(join(path, 'sub/text'), 12, 34), false, true]);
}

test.each(changes)('a directory: %s', async (_name, change, contents, all) => {
  for (const [what, matters] of [
    ['contents', contents],
    ['all', all],
  ] as const) {
    const folder = temporaryFolder();
    const path = join(folder, 'tree');
    sampleFolder(path);
    pinTimes(path);
    const key = () => keyOfStage({ inputs: { input: { kind: 'directory', path, what } } }, folder);
    const before = await key();
    expect(await key()).toBe(before);
    change(path);
    pinTimes(path);
    expect((await key()) !== before, what).toBe(matters);
  }
});

/** Gives everything whose time is now the same time: what the change itself touched is not meant. */
function pinTimes(path: string): void {
  const recent = (file: string): boolean => Date.now() - lstatSync(file).mtimeMs < 60_000;
  for (const entry of readdirSync(path, { withFileTypes: true })) {
    const file = join(path, entry.name);
    if (entry.isDirectory()) pinTimes(file);
    else if (recent(file)) lutimesSync(file, 1000, 1000);
  }
  if (recent(path)) lutimesSync(path, 1000, 1000);
}

test('a directory in another folder has the same key', async () => {
  const keys = new Set<string>();
  for (const name of ['one', 'two']) {
    const path = join(temporaryFolder(), name);
    sampleFolder(path);
    keys.add(await keyOfStage({ inputs: { input: { kind: 'directory', path, what: 'contents' } } }));
    const copy = join(temporaryFolder(), 'copy');
    cpSync(path, copy, { recursive: true, verbatimSymlinks: true });
    keys.add(await keyOfStage({ inputs: { input: { kind: 'directory', path: copy, what: 'contents' } } }));
  }
  expect(keys.size).toBe(1);
});

test('which files are linked to each other counts with `all`', async () => {
  const key = async (pairs: readonly (readonly [string, string])[]): Promise<string> => {
    const path = join(temporaryFolder(), 'tree');
    mkdirSync(path);
    for (const [name, other] of pairs) {
      writeFileSync(join(path, name), 'same', { mode: 0o644 });
      linkSync(join(path, name), join(path, other));
    }
    pinTimes(path);
    return keyOfStage({ inputs: { input: { kind: 'directory', path, what: 'all' } } });
  };
  const pairs = [
    ['a', 'b'],
    ['c', 'd'],
  ] as const;
  expect(await key(pairs)).toBe(await key(pairs));
  expect(await key(pairs)).not.toBe(
    await key([
      ['a', 'c'],
      ['b', 'd'],
    ]),
  );
});

test('the digest of an input counts, not what its stage was made from', async () => {
  const folder = temporaryFolder();
  const pipeline = (parameter: number, text: string) => {
    const first = textStage('first', () => text, { parameters: { parameter } });
    const last = fileStage('last', (context) => textOf(context, 'from'), { inputs: { from: made(first) } });
    return pipelineOf([first, last], [output(last)]);
  };
  await buildIn(folder, pipeline(1, 'same'));
  expect((await buildIn(folder, pipeline(2, 'same'))).ranStages).toEqual(['first']);
  expect((await buildIn(folder, pipeline(3, 'other'))).ranStages).toEqual(['first', 'last']);
});

test('the key is the digest of the fields', async () => {
  const fields = await keyFieldsOf(
    stage({ name: 'x', parameters: { a: { b: 1 } }, run: async () => ({ artifacts: {} }) }),
    new Map([['from', { sha256: 'f'.repeat(64), size: 1 }]]),
  );
  expect(Object.keys(fields).sort()).toEqual(['code', 'input from', 'parameter a.b', 'stage', 'trees']);
  const text = JSON.stringify(
    Object.fromEntries(Object.entries(fields).sort(([a], [b]) => (a < b ? -1 : 1))),
  );
  expect(keyOf(fields)).toBe(createHash('sha256').update(text).digest('hex'));
});
