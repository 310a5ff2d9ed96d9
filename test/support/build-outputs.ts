import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { type Manifest, readManifest } from '../../pipelines/output/manifest.js';
import { ssiImageOutput } from './ssi-image.js';
import { run } from './tools.js';

/** What every build with an OpenGFS root leaves. */
const ALWAYS = ['root_fs', 'root_cidev', 'pool0.cf', 'pool0cidev.cf', 'gfscf.cf', 'ssiuml.conf'];
const WHERE = ['KERNEL', 'ROOT', 'CIDEV', 'INITRD', 'INITRD_MEMEXP'];

export interface WantedOutputs {
  readonly nodes: number;
  /** Length of the root image in bytes. */
  readonly rootSize: number;
}

/** The manifest of an output folder. */
export function manifestIn(folder: string): Manifest {
  const manifest = readManifest(folder);
  if (manifest === undefined) throw new Error(`${folder} has no manifest`);
  return manifest;
}

/** That a build's folder holds what it should, and that all that is said in it of its files is true. */
export function expectOutputs(folder: string, { nodes, rootSize }: WantedOutputs): void {
  const manifest = manifestIn(folder);
  const names = manifest.outputs.map(({ name }) => name);
  expect(names).toEqual(expect.arrayContaining(ALWAYS));
  expect(readdirSync(folder).sort()).toEqual([...names, 'manifest.json', 'SHA256SUMS'].sort());
  for (const { name, size } of manifest.outputs)
    expect([name, statSync(join(folder, name)).size]).toEqual([name, size]);
  expect(statSync(join(folder, 'root_fs')).size).toBe(rootSize);
  expect(statSync(join(folder, 'root_cidev')).size).toBe(4 * 1024 ** 2);
  // Blocks of 512 bytes: what is not used is a hole.
  expect(statSync(join(folder, 'root_fs')).blocks * 512).toBeLessThan(rootSize / 2);

  const sums = run('sha256sum', ['--strict', '-c', 'SHA256SUMS'], { cwd: folder });
  expect(sums.trim().split('\n').sort()).toEqual(names.map((name) => `${name}: OK`).sort());
  const listed = manifest.outputs.map(({ name, sha256 }) => `${sha256}  ${name}\n`).join('');
  expect(textOf(folder, 'SHA256SUMS')).toBe(listed);

  const places = textOf(folder, 'ssiuml.conf')
    .trim()
    .split('\n')
    .map((line) => line.split('='));
  expect(places).toEqual(
    expect.arrayContaining([
      ['ROOT', 'root_fs'],
      ['CIDEV', 'root_cidev'],
    ]),
  );
  for (const [key, name] of places) {
    expect(WHERE).toContain(key);
    expect(names).toContain(name);
  }
  expectHowtoFiles(folder, nodes);
  expectCidev(folder, nodes);
}

/** The files of HOWTO 5.2, as it prints them. */
function expectHowtoFiles(folder: string, nodes: number): void {
  const pool = (name: string, device: string): string[] => [
    `poolname ${name}`,
    'subpools 1',
    'subpool 0 0 1 gfs_data',
    `pooldevice 0 0 ${device} 0`,
  ];
  expect(linesOf(folder, 'pool0cidev.cf')).toEqual(pool('pool0cidev', '/dev/loop1'));
  expect(linesOf(folder, 'pool0.cf')).toEqual(pool('pool0', '/dev/loop2'));
  expect(linesOf(folder, 'gfscf.cf')).toEqual([
    'datadev: /dev/pool/pool0',
    'cidev: /dev/pool/pool0cidev',
    'lockdev: 192.168.50.101:15697',
    'cbport: 3001',
    'timeout: 30',
    'STOMITH: NUN',
    'name:none',
    ...Array.from({ length: nodes }, (_, index) => `node: 192.168.50.${index + 1} ${index + 1} SM: none`),
  ]);
}

/** The label and the lock table, as the commands show them. */
function expectCidev(folder: string, nodes: number): void {
  const cidev = join(folder, 'root_cidev');
  const shown = JSON.parse(ssiImageOutput(['info', '--json', cidev])) as Record<string, unknown>;
  expect(shown).toMatchObject({
    kind: 'lock-table',
    pool: { poolName: 'pool0cidev', type: 'gfs_data', devices: 1, subpools: 1 },
    lockTable: { envelope: 'ssi-images', text: textOf(folder, 'gfscf.cf') },
  });
  expect(ssiImageOutput(['info', cidev])).toMatch(new RegExp(`^nodes: +${nodes}$`, 'm'));
  const labels = ssiImageOutput(['pinfo', cidev, join(folder, 'root_fs')]);
  expect(labels.match(/^pool: +\S+$/gm)?.map((line) => line.split(/ +/)[1])).toEqual(['pool0cidev', 'pool0']);
  expect(labels.match(/^version: +4\.1\.3$/gm)).toHaveLength(2);
}

function textOf(folder: string, name: string): string {
  return readFileSync(join(folder, name), 'utf8');
}

/** Lines without the blanks that only align them. */
function linesOf(folder: string, name: string): string[] {
  return textOf(folder, name)
    .trim()
    .split('\n')
    .map((line) => line.trim().replaceAll(/\s+/g, ' '));
}
