import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { generalFindings, hostBackendFindings, neededFindings } from '../../../pipelines/doctor/doctor.js';
import type { Finding } from '../../../pipelines/doctor/finding.js';
import { hostStageFindings } from '../../../pipelines/doctor/host-stage-findings.js';
import { hostPipeline } from '../../../pipelines/host/host-pipeline.js';
import { loadRecipe } from '../../../pipelines/recipe/load-recipe.js';
import { compiledInto } from '../../support/compiled.js';
import { writeSampleExt2 } from '../../support/sample-ext2.js';
import { temporaryFolder } from '../../support/temporary.js';
import { findTool } from '../../support/tools.js';

const folder = temporaryFolder();
const isRoot = process.getuid?.() === 0;

function host(name: string, tools?: string) {
  const mountPoint = join(folder, name);
  mkdirSync(mountPoint, { recursive: true });
  return { mountPoint, recipeArguments: [], ...(tools === undefined ? {} : { tools }) };
}

function messagesOf(findings: readonly Finding[], state: Finding['state']): string[] {
  return findings.filter((finding) => finding.state === state).map(({ message }) => message);
}

describe('what this host has', () => {
  test('is told without a recipe, and nothing is missing that nobody asked for', async () => {
    const findings = [...(await generalFindings(folder)), ...(await hostBackendFindings(undefined))];
    expect(new Set(findings.map(({ topic }) => topic))).toEqual(
      new Set([
        ...[
          'kernel',
          'user',
          'user namespaces',
          'make rules',
          'shared memory',
          'memory',
          'disk',
          'left behind',
        ],
        ...['tools', 'loop devices', 'network', 'device names', 'lock server'],
      ]),
    );
    expect(messagesOf(findings, 'missing')).toEqual([]);
    for (const { state, hint } of findings) if (state === 'missing') expect(hint).toBeDefined();
  });

  test('and lacks for OpenGFS, with where the tools come from', async () => {
    const recipe = loadRecipe('redhat72');
    const pipeline = hostPipeline(recipe, { offline: true }, host('mnt'));
    const places = { cache: join(folder, 'cache'), outputs: join(folder, 'out') };
    const findings = await neededFindings(recipe, pipeline, places, true);
    const tools = ['ptool', 'passemble', 'gfsconf', 'mkfs_gfs'].filter(
      (name) => findTool(name) === undefined,
    );
    for (const name of tools)
      expect(findings).toContainEqual({
        topic: 'tools',
        state: 'missing',
        message: `the program ${name} is missing`,
        hint: 'Build and install the OpenGFS tools (HOWTO 4.5).',
      });
    expect(findings.map(({ message }) => message).join('\n')).toMatch(/192\.168\.50\.1$/m);
    expect(findings.map(({ message }) => message).join('\n')).toMatch(/192\.168\.50\.101$/m);
  });

  test('with a folder of tools that goes first', async () => {
    const tools = join(folder, 'tools');
    mkdirSync(tools);
    for (const name of ['ptool', 'passemble', 'gfsconf', 'mkfs_gfs', 'mount']) {
      writeFileSync(join(tools, name), '#!/bin/sh\n');
      chmodSync(join(tools, name), 0o755);
    }
    const messages = messagesOf(
      await hostStageFindings(loadRecipe('redhat72'), host('mnt', tools)),
      'missing',
    );
    expect(
      messages.filter((message) => /ptool|passemble|gfsconf|mkfs_gfs|filesystem gfs/.test(message)),
    ).toEqual([]);
  });

  test('when the mount point is in use', async () => {
    const recipe = loadRecipe(writeSampleExt2(join(folder, 'recipe.yaml')));
    const options = host('full');
    expect(messagesOf(await hostStageFindings(recipe, options), 'ok')).toContain(
      `${options.mountPoint} is free`,
    );
    writeFileSync(join(options.mountPoint, 'file'), '');
    expect(messagesOf(await hostStageFindings(recipe, options), 'missing')).toContain(
      `${options.mountPoint} is not empty`,
    );
    const none = { ...options, mountPoint: join(folder, 'none') };
    expect(messagesOf(await hostStageFindings(recipe, none), 'missing').join()).toContain('is no folder');
    expect(messagesOf(await hostStageFindings(recipe, host('mnt')), 'missing').join()).not.toContain('mnt');
  });
});

const wrapper = isRoot ? findTool('setpriv') : undefined;

describe.skipIf(wrapper === undefined)('an ordinary user', () => {
  let program: string;
  const programs = temporaryFolder();
  beforeAll(() => {
    program = compiledInto(programs, 'scripts/ssi-image.ts');
    writeSampleExt2(join(folder, 'user.yaml'));
    chmodSync(folder, 0o755);
    chmodSync(join(program, '../..'), 0o755);
  });

  function asNobody(...args: string[]) {
    const nobody = ['--reuid=65534', '--regid=65534', '--clear-groups', process.execPath, program, ...args];
    return spawnSync('setpriv', nobody, {
      encoding: 'utf8',
      env: { PATH: process.env.PATH, HOME: '/nonexistent' },
    });
  }

  test('is told by doctor and by build in the same words that it can not mount', () => {
    const options = [join(folder, 'user.yaml'), '--backend', 'host', '--mount-point', host('mnt').mountPoint];
    const told = asNobody('doctor', ...options);
    expect(told.stdout).toContain('MISSING  user: the host backend mounts filesystems: it needs root\n');
    expect(told.status).toBe(1);
    const open = join(folder, 'open');
    mkdirSync(open);
    chmodSync(open, 0o777);
    const refused = asNobody(
      'build',
      ...options,
      '--out',
      join(open, 'out'),
      '--cache-dir',
      join(open, 'cache'),
    );
    expect(refused.stderr).toContain('error: the host backend mounts filesystems: it needs root\n');
    expect(refused.status).toBe(1);
  });
});
