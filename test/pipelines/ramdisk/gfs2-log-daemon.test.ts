import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { yieldingLogDaemon } from '../../../pipelines/ramdisk/gfs2-log-daemon.js';
import { temporaryFolder } from '../../support/temporary.js';
import { testWith } from '../../support/tools.js';

/** Calls gfs2_withdrawn, and where it says yes sleeps and goes back to the beginning. */
const CODE = Buffer.from('ffd084c0741348b80000000000000000bf64000000ffd0ebcf8b8b', 'hex');
const CHANGED = Buffer.from('ffd0505031ff48b80000000000000000ffd0585884c09075cf8b8b', 'hex');

function moduleOf(features: string, ...code: Buffer[]): Buffer {
  return Buffer.concat([Buffer.from('\x7fELF'), ...code, Buffer.from(`\0vermagic=6.1.0 ${features}\0`)]);
}

describe('a gfs2 module for a kernel that never takes the processor from its threads', () => {
  test('has a log daemon that sleeps each time around', () => {
    const module = moduleOf('mod_unload ', CODE);
    const before = Buffer.from(module);
    expect(yieldingLogDaemon(module)).toEqual({
      kind: 'changed',
      module: moduleOf('mod_unload ', CHANGED),
    });
    expect(module.equals(before)).toBe(true);
  });

  test('is left alone where the code is another, or there twice', () => {
    expect(yieldingLogDaemon(moduleOf('mod_unload '))).toEqual({ kind: 'unknown' });
    expect(yieldingLogDaemon(moduleOf('mod_unload ', CODE, CODE))).toEqual({ kind: 'unknown' });
    for (let at = 0; at < CODE.length - 2; at++) {
      const other = Buffer.from(CODE);
      other[at] = (other[at] ?? 0) ^ 0x11;
      // The distance of the jump back may be any.
      if (at !== 24)
        expect(yieldingLogDaemon(moduleOf('', other)), `byte ${at}`).toEqual({ kind: 'unknown' });
    }
  });

  test.each(['SMP mod_unload ', 'preempt mod_unload ', 'SMP preempt '])(
    'needs no help with %j',
    (features) => {
      expect(yieldingLogDaemon(moduleOf(features, CODE))).toEqual({ kind: 'safe' });
    },
  );

  test('is not known without a version', () => {
    expect(yieldingLogDaemon(Buffer.from('gfs2'))).toEqual({ kind: 'unknown' });
    expect(yieldingLogDaemon(Buffer.alloc(0))).toEqual({ kind: 'unknown' });
  });
});

testWith(['linux.uml', 'objdump'], "in Debian's module it is the log daemon that sleeps", () => {
  const [version = ''] = readdirSync('/usr/lib/uml/modules');
  const module = readFileSync(join('/usr/lib/uml/modules', version, 'kernel/fs/gfs2/gfs2.ko'));
  const found = yieldingLogDaemon(module);
  if (found.kind !== 'changed') throw new Error(`the module is ${found.kind}`);
  const path = join(temporaryFolder(), 'gfs2.ko');
  writeFileSync(path, found.module);
  const { stdout } = spawnSync('objdump', ['-dr', '--no-show-raw-insn', path], {
    encoding: 'utf8',
    maxBuffer: 256 * 1024 ** 2,
  });
  const [daemon = ''] = /<gfs2_logd>:[\s\S]*?(?=\n\n)/.exec(stdout) ?? [];
  const [code = ''] = /push +%rax\n[^\n]*push +%rax\n[\s\S]*?jne[^\n]*\n/.exec(daemon) ?? [];
  expect(code).toContain('msleep_interruptible');
  expect([...code.matchAll(/:\t([a-z]+)/g)].map(([, word]) => word)).toEqual([
    'push',
    'xor',
    'movabs',
    'call',
    'pop',
    'pop',
    'test',
    'nop',
    'jne',
  ]);
  // Where it went back before: to the beginning of the loop, which asks whether it is to end.
  const target = /jne +([0-9a-f]+) /.exec(code)?.[1] ?? '';
  expect(daemon).toMatch(new RegExp(`\\n *${target}:\\tcall +\\*%r14\\n`));
});
