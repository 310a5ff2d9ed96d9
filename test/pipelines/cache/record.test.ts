import { expect, test } from 'vitest';
import { canonicalJson, sha256 } from '../../../pipelines/cache/canonical-json.js';
import { decodeRecord, encodeRecord, keyOf, type StageRecord } from '../../../pipelines/cache/record.js';

const digest = 'a'.repeat(64);
const record: StageRecord = {
  stage: 'configure',
  recipe: 'täst',
  fields: { stage: 'configure', 'parameter a': '"\u2028ä"', 10: 'b', 9: 'a' },
  artifacts: { tree: { sha256: digest, size: 12, stored: true } },
  facts: [{ line: 'done', more: null }],
  references: [digest],
  hostFiles: [],
  milliseconds: 12,
};
const key = keyOf(record.fields);

test('a record comes back as it was', () => {
  expect(decodeRecord(encodeRecord(record), key)).toMatchObject(record);
});

test('the same record always gives the same bytes', () => {
  const other = { ...record, fields: Object.fromEntries(Object.entries(record.fields).reverse()) };
  expect(encodeRecord(other)).toBe(encodeRecord(record));
});

test('no changed byte and no missing one goes unnoticed', () => {
  const bytes = Buffer.from(encodeRecord(record));
  for (let index = 0; index < bytes.length; index++) {
    for (const mask of [0x01, 0x20, 0x80, 0xff]) {
      const damaged = Buffer.from(bytes);
      damaged[index] = bytes[index]! ^ mask;
      expect(decodeRecord(damaged.toString('utf8'), key), `byte ${index} ^ ${mask}`).toBeUndefined();
    }
    expect(decodeRecord(bytes.toString('utf8', 0, index), key)).toBeUndefined();
  }
  expect(decodeRecord(`${bytes.toString()}x`, key)).toBeUndefined();
  expect(decodeRecord(`${bytes.toString()}\n`, key)).toBeUndefined();
});

test('the record of another key is none', () => {
  expect(decodeRecord(encodeRecord(record), keyOf({ ...record.fields, more: '' }))).toBeUndefined();
});

/** With a digest that is right: written by another program, or by hand. */
function forged(body: unknown): string {
  const text = canonicalJson(body as never);
  return `${JSON.stringify({ digest: sha256(text) })}\n${text}\n`;
}

test('one that says what can not be is none', () => {
  expect(decodeRecord(forged({ format: 1, ...record }), key)).toBeDefined();
  const artifact = record.artifacts.tree;
  const bad = [
    null,
    [],
    record,
    { format: 2, ...record },
    { format: 1, ...record, stage: 1 },
    { format: 1, ...record, artifacts: [] },
    { format: 1, ...record, artifacts: { tree: null } },
    { format: 1, ...record, artifacts: { tree: { ...artifact, sha256: '../../etc/passwd' } } },
    { format: 1, ...record, artifacts: { tree: { ...artifact, size: -1 } } },
    { format: 1, ...record, artifacts: { tree: { ...artifact, size: 1.5 } } },
    { format: 1, ...record, artifacts: { tree: { ...artifact, stored: 1 } } },
    { format: 1, ...record, references: ['../x'] },
    { format: 1, ...record, references: digest },
    { format: 1, ...record, hostFiles: [1] },
    { format: 1, ...record, fields: { ...record.fields, more: 1 } },
    { format: 1, ...record, milliseconds: '12' },
    { format: 1, ...record, facts: undefined },
  ];
  for (const body of bad)
    expect(decodeRecord(forged(body), key), canonicalJson(body as never)).toBeUndefined();
});
