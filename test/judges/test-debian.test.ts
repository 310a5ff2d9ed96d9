import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { DEBIAN_BUILD_TOOLS, debianBuild, debianBuildArguments } from '../support/debian-build.js';
import { ssiImage } from '../support/ssi-image.js';
import { temporaryFolder } from '../support/temporary.js';
import { testWith } from '../support/tools.js';

testWith(
  [...DEBIAN_BUILD_TOOLS, 'uml_switch', 'flock'],
  'ssi-image test: the tests of the recipe debian hold in three real nodes, and nothing is left',
  () => {
    const { folder, cache } = debianBuild();
    const own = temporaryFolder();
    const home = join(own, 'home');
    mkdirSync(home);
    const junit = join(own, 'junit.xml');
    const [, ...building] = debianBuildArguments(folder, cache);
    const reports = ['--junit', junit, '--logs', join(own, 'logs')];
    const { status, stdout, stderr } = ssiImage(['test', ...building, ...reports], { env: { HOME: home } });
    expect(stdout.split('\n').filter((line) => /^(failed|skipped)/.test(line))).toEqual([]);
    expect(status, stderr).toBe(0);
    for (const node of [1, 2, 3]) {
      expect(stdout).toMatch(new RegExp(`^ok +every node sees all members \\(node${node}\\)`, 'm'));
      expect(stdout).toMatch(new RegExp(`^ok +leaves in good order \\(node${node}\\)`, 'm'));
      expect(readFileSync(join(own, 'logs', `node${node}.log`), 'utf8')).toContain(`NODE-LEFT node${node}`);
    }
    expect(stdout).toMatch(/^ok +the root is in order/m);
    expect(readFileSync(junit, 'utf8')).toMatch(/<testsuite name="debian" tests="\d+" failures="0"/);

    expect(readdirSync(join(home, '.ssiuml')).filter((name) => name !== 'run')).toEqual([]);
  },
);
