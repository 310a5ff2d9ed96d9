import { readdirSync, realpathSync, statSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { FileSource, MemorySource } from '../../../images/bytes/byte-source.js';
import { DiagnosticError } from '../../../images/diagnostic.js';
import { readElf } from '../../../images/elf/dynamic.js';
import { isElf } from '../../../images/elf/header.js';
import { elfFile } from '../../support/elf-file.js';
import { describeWith, run } from '../../support/tools.js';

function read(bytes: Buffer) {
  return readElf(new MemorySource(bytes, 'program'));
}

const whole = {
  interpreter: '/lib/ld.so',
  needed: ['libb.so.2', 'liba.so.1'],
  soname: 'libc.so',
  rpath: '/old:$ORIGIN',
  runpath: '/opt/lib::$ORIGIN/../lib',
} as const;

describe('an ELF file', () => {
  test.each([32, 64] as const)('of %i bits says what it needs', (bits) => {
    const { header, ...rest } = read(elfFile({ ...whole, bits }));
    expect(header).toMatchObject({ is64: bits === 64, machine: bits === 64 ? 62 : 3, type: 2 });
    expect(rest).toEqual({
      ...whole,
      rpath: ['/old', '$ORIGIN'],
      runpath: ['/opt/lib', '', '$ORIGIN/../lib'],
    });
  });

  test('without a dynamic section needs nothing', () => {
    const { header: _header, ...rest } = read(elfFile());
    expect(rest).toEqual({ needed: [], rpath: [], runpath: [] });
  });
});

describe('hostile files', () => {
  const good = elfFile(whole);
  const changed = (change: (bytes: Buffer) => void): Buffer => {
    const bytes = Buffer.from(good);
    change(bytes);
    return bytes;
  };

  test.each([
    ['a text', Buffer.from('#!/bin/sh\n# a script of some length\n'), /no ELF file/],
    ['nothing', Buffer.alloc(0), /no ELF file/],
    ['big-endian', changed((bytes) => bytes.writeUInt8(2, 5)), /big-endian/],
    ['another class', changed((bytes) => bytes.writeUInt8(9, 4)), /neither of 32 nor of 64 bits/],
    [
      'far program headers',
      changed((bytes) => bytes.writeUInt32LE(0xffffffff, 36)),
      /program headers lie past/,
    ],
    ['many program headers', changed((bytes) => bytes.writeUInt16LE(0xffff, 56)), /65535 program headers/],
    ['small program headers', changed((bytes) => bytes.writeUInt16LE(8, 54)), /program headers of 8 bytes/],
    [
      'a long dynamic section',
      changed((bytes) => bytes.writeUInt32LE(0x7fffffff, 64 + 56 + 32)),
      /a dynamic section of/,
    ],
    [
      'strings elsewhere',
      changed((bytes) => bytes.writeUInt32LE(0x900000, 64 + 16)),
      /its strings are not in the file/,
    ],
  ])('%s', (_name, bytes, message) => {
    expect(() => read(bytes)).toThrowError(message);
    expect(() => read(bytes)).toThrowError(DiagnosticError);
  });

  test('cut short anywhere, or with any bytes changed', () => {
    const check = (bytes: Buffer): void => {
      try {
        read(bytes);
      } catch (error) {
        expect(error).toBeInstanceOf(DiagnosticError);
      }
    };
    for (let length = 0; length < good.length; length++) check(good.subarray(0, length));
    const place = fc.nat(good.length - 1);
    const changes = fc.array(fc.tuple(place, fc.nat(255)), { minLength: 1, maxLength: 6 });
    fc.assert(
      fc.property(changes, (list) =>
        check(
          changed((bytes) =>
            list.forEach(([at, value]) => {
              bytes[at] = value;
            }),
          ),
        ),
      ),
      { numRuns: 5000 },
    );
  });
});

describeWith(['readelf'], 'judged by readelf', () => {
  test('programs and libraries of this host', () => {
    const folders = ['/usr/bin', '/usr/sbin', '/usr/lib', '/usr/lib/x86_64-linux-gnu'];
    const paths = folders
      .flatMap((folder) => {
        try {
          return readdirSync(folder).map((name) => join(folder, name));
        } catch {
          return [];
        }
      })
      .filter((path) => {
        const status = statSync(path, { throwIfNoEntry: false });
        return status?.isFile() === true && status.size > 64 && realpathSync(path) === path;
      });
    const files = paths.filter((path) => {
      const source = new FileSource(path);
      try {
        return isElf(source);
      } finally {
        source.close();
      }
    });
    expect(files.length).toBeGreaterThan(50);
    const sections = run('readelf', ['-dlW', ...files])
      .split(/^File: /m)
      .slice(1);
    expect(sections).toHaveLength(files.length);
    for (const section of sections) {
      const path = section.slice(0, section.indexOf('\n'));
      const values = (tag: string): string[] =>
        [...section.matchAll(new RegExp(`\\(${tag}\\).*\\[(.*)\\]$`, 'gm'))].map((match) => match[1]!);
      const source = new FileSource(path);
      const elf = readElf(source);
      source.close();
      expect(elf.needed, path).toEqual(values('NEEDED'));
      expect(elf.soname === undefined ? [] : [elf.soname], path).toEqual(values('SONAME'));
      expect(elf.runpath.join(':'), path).toEqual(values('RUNPATH').join(':'));
      expect(elf.rpath.join(':'), path).toEqual(values('RPATH').join(':'));
      expect(elf.interpreter, path).toBe(/Requesting program interpreter: (.*)\]/.exec(section)?.[1]);
    }
  });
});
