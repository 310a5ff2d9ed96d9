import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { lostFramesNote } from '../../../pipelines/nodes/network-switch.js';
import { temporaryFolder } from '../../support/temporary.js';

function hostWith(text: string): string {
  const file = join(temporaryFolder(), 'max_dgram_qlen');
  writeFileSync(file, text);
  return file;
}

describe('frames between nodes', () => {
  test('get lost with more than four where sockets take few', () => {
    expect(lostFramesNote(5, hostWith('10\n'))).toEqual({
      message: expect.stringContaining('with 5 nodes frames between them get lost'),
      hint: 'As root, before a cluster starts: sysctl net.unix.max_dgram_qlen=512',
    });
  });

  test.each([
    ['four nodes', 4, '10\n'],
    ['sockets that take many', 15, '512\n'],
    ['a host that says something else', 15, 'many\n'],
  ])('do not, or nobody knows: %s', (_, nodes, text) => {
    expect(lostFramesNote(nodes, hostWith(text))).toBeUndefined();
  });

  test('a host that does not tell', () => {
    expect(lostFramesNote(15, join(temporaryFolder(), 'missing'))).toBeUndefined();
  });
});
