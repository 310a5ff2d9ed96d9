import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { promptRecovery } from '../../../pipelines/ramdisk/dlm-recovery.js';
import { temporaryFolder } from '../../support/temporary.js';
import { testWith } from '../../support/tools.js';

/** Adds 20 to %r13d, and to %r12d, where it is below 1000, and loads an address. */
const ALL = Buffer.from('4181fde70300007f044183c51448b8', 'hex');
const LOW = Buffer.from('4181fce70300007f044183c41448b8', 'hex');
const OTHER = Buffer.from('41814181fd');

function changed(code: Buffer): Buffer {
  const copy = Buffer.from(code);
  copy[12] = 0;
  return copy;
}

describe('a dlm module whose recovery does not wait longer and longer', () => {
  test('adds nothing to its wait, in both places', () => {
    const module = Buffer.concat([OTHER, ALL, OTHER, LOW, OTHER]);
    const before = Buffer.from(module);
    expect(promptRecovery(module)).toEqual(Buffer.concat([OTHER, changed(ALL), OTHER, changed(LOW), OTHER]));
    expect(module.equals(before)).toBe(true);
  });

  test('is left alone where the code is another, or as often as it should not be', () => {
    for (const codes of [[], [ALL], [ALL, LOW, LOW], [ALL, LOW.subarray(0, -1)]])
      expect(promptRecovery(Buffer.concat(codes))).toBeUndefined();
    for (let at = 0; at < ALL.length; at++) {
      const other = Buffer.from(ALL);
      other[at] = (other[at] ?? 0) ^ 0x01;
      expect(promptRecovery(Buffer.concat([other, LOW])), `byte ${at}`).toBeUndefined();
    }
  });
});

testWith(['linux.uml', 'objdump'], "in Debian's module it is the wait of recovery", () => {
  const [version = ''] = readdirSync('/usr/lib/uml/modules');
  const module = readFileSync(join('/usr/lib/uml/modules', version, 'kernel/fs/dlm/dlm.ko'));
  const path = join(temporaryFolder(), 'dlm.ko');
  const found = promptRecovery(module);
  if (found === undefined) throw new Error('the module has other code');
  writeFileSync(path, found);
  const { stdout } = spawnSync('objdump', ['-dr', '--no-show-raw-insn', path], {
    encoding: 'utf8',
    maxBuffer: 256 * 1024 ** 2,
  });
  for (const name of ['wait_status_all', 'wait_status_low']) {
    const [code = ''] = new RegExp(`<${name}>:[\\s\\S]*?(?=\\n\\n)`).exec(stdout) ?? [];
    expect(code).toMatch(
      /cmp +\$0x3e7,(%r1\dd)\n[^\n]*jg[^\n]*\n[^\n]*add +\$0x0,\1\n[^\n]*movabs[^\n]*\n[^\n]*msleep\n[^\n]*mov +\1,%edi\n[^\n]*call +\*%rax/,
    );
  }
  // Nothing else is another.
  expect([...found.entries()].filter(([at, byte]) => byte !== module[at])).toHaveLength(2);
});
