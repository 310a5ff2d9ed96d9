import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { Tree } from '../../../images/tree/tree.js';
import { plain, text, treeWith } from '../../support/small-trees.js';
import { temporaryFolder } from '../../support/temporary.js';
import { run, testWith } from '../../support/tools.js';
import { differencesOf } from '../../support/tree-of.js';
import { configure, contentOf, faultOf, NOW, shortly } from './edit.js';

const FOLDER = '/etc/sysconfig/network-scripts';
const ETH0 = `${FOLDER}/ifcfg-eth0`;
const FUNCTIONS = `${FOLDER}/network-functions`;
const network = { patch: true, hosts: false };
const functions = '# Functions for network scripts.\nsource_config ()\n{\n    . ./$CONFIG\n}\n';
const base = treeWith({
  [ETH0]: text('DEVICE=eth0\nBOOTPROTO=dhcp\nONBOOT="yes"\n', { mode: 0o600, uid: 3 }),
  [FUNCTIONS]: text(functions.slice(0, -1)),
});
const patched = configure(base, { network });
const folder = temporaryFolder();

/** The settings file after the patch, without its comment. */
function settingsFrom(content: string): string {
  const { tree } = configure(treeWith({ [ETH0]: text(content), [FUNCTIONS]: text('') }), { network });
  return contentOf(tree, ETH0).replace(/^(?:# [^\n]*\n){2}/, '');
}

/** Puts a patched root's scripts on the host, with an `ifup` and others that do what Red Hat's do first. */
function scriptsOn(name: string, tree: Tree): string {
  const path = join(folder, name);
  mkdirSync(path);
  writeFileSync(join(path, 'network-functions'), contentOf(tree, FUNCTIONS), 'latin1');
  writeFileSync(join(path, 'ifcfg-eth0'), contentOf(tree, ETH0), 'latin1');
  writeFileSync(join(path, 'ifcfg-eth1'), 'DEVICE=eth1\n');
  for (const script of ['ifup', 'ifdown', 'ifup-ppp', 'ifdown-post', 'network']) {
    const body = `. ./network-functions\nCONFIG=$1\n[ -f "$CONFIG" ] || CONFIG=ifcfg-$1\nsource_config\necho "\${0##*/} works on $DEVICE"\n`;
    writeFileSync(join(path, script), body);
  }
  return path;
}

describe('the network scripts of Red Hat', () => {
  test('leave the interconnect alone: the settings say so, and the functions have a guard', async () => {
    const { tree, report } = patched;
    expect(contentOf(tree, ETH0)).toMatch(
      /^# Cluster interconnect: .*\n# .*\nDEVICE=eth0\nBOOTPROTO=none\nONBOOT=no\n$/,
    );
    expect(tree.get(ETH0)).toMatchObject({ mode: 0o600, uid: 3, mtime: NOW });
    expect(contentOf(tree, FUNCTIONS).startsWith(`${functions}\n# Cluster interconnect: guard\n`)).toBe(true);
    expect(shortly(report)).toEqual([`changed: ${ETH0}`, `changed: ${FUNCTIONS}`]);
    const again = configure(tree, { network });
    expect(await differencesOf(tree, again.tree)).toEqual([]);
    expect(shortly(again.report)).toEqual([`already done: ${ETH0}`, `already done: ${FUNCTIONS}`]);
  });

  for (const [tools, shell] of [
    [['sh'], ['sh']],
    [['bash'], ['bash', '--posix']],
    [['busybox'], ['busybox', 'sh']],
  ] as const) {
    const [program, ...args] = shell;
    testWith(tools, `stop ifup and ifdown of eth0 and nothing else, under ${shell.join(' ')}`, () => {
      const path = scriptsOn(shell.join('-'), patched.tree);
      const says = (...words: string[]) => run(program, [...args, ...words], { cwd: path });
      for (const script of ['ifup', 'ifdown', './ifup', `${path}/ifdown`, 'ifup-ppp', 'ifdown-post']) {
        for (const name of ['eth0', 'ifcfg-eth0', './ifcfg-eth0']) {
          const short = script.replace(/.*\//, '');
          expect(says(script, name, 'boot')).toBe(
            `${short}: eth0 is the cluster interconnect, left as it is\n`,
          );
        }
        expect(says(script, 'eth1')).toContain('works on eth1');
      }
      expect(says('network', 'eth0')).toBe('network works on eth0\n');
      const unpatched = scriptsOn(`${shell.join('-')}-unpatched`, base);
      expect(run(program, [...args, 'ifup', 'eth0'], { cwd: unpatched })).toBe('ifup works on eth0\n');
      run(program, [...args, '-n', 'network-functions'], { cwd: path });
    });
  }

  test('have settings that count, wherever and however they are written', () => {
    expect(settingsFrom('')).toBe('ONBOOT=no\nBOOTPROTO=none\n');
    expect(settingsFrom('DEVICE=eth0')).toBe('DEVICE=eth0\nONBOOT=no\nBOOTPROTO=none\n');
    expect(settingsFrom(' export ONBOOT=yes # x\nBOOTPROTO=none\nONBOOT=no\nONBOOT=yes\r\n')).toBe(
      ' export ONBOOT=no\nBOOTPROTO=none\nONBOOT=no\nONBOOT=no\r\n',
    );
    expect(settingsFrom('#ONBOOT=yes\nMYONBOOT=yes\nBOOTPROTO=none\n')).toBe(
      '#ONBOOT=yes\nMYONBOOT=yes\nBOOTPROTO=none\nONBOOT=no\n',
    );
    expect(settingsFrom('ONBOOT=no\nBOOTPROTO=none\n')).toBe('ONBOOT=no\nBOOTPROTO=none\n');
    expect(settingsFrom('NAME=\xff\n')).toBe('NAME=\xc3\xbf\nONBOOT=no\nBOOTPROTO=none\n');
  });

  test('are patched where links lead to, and apart from their hard links', () => {
    const devices = '/etc/sysconfig/networking/devices';
    const linked = treeWith(
      {
        [ETH0]: text('ONBOOT=yes\n'),
        [FUNCTIONS]: { ...plain, type: 'symlink', target: '/usr/share/net/functions' },
        '/usr/share/net/functions': text('true\n'),
      },
      { [`${devices}/ifcfg-eth0`]: ETH0 },
    );
    const { tree } = configure(linked, { network });
    expect(contentOf(tree, `${devices}/ifcfg-eth0`)).toBe('ONBOOT=yes\n');
    expect(contentOf(tree, '/usr/share/net/functions')).toContain('guard');
    expect(tree.get(FUNCTIONS)?.type).toBe('symlink');
  });

  test('that are of another distribution or not there are a clear error', () => {
    for (const distribution of ['debian', 'caldera'] as const) {
      const error = faultOf(() => configure(base, { network }, { distribution }));
      expect(error.message).toContain('configure.network.patch: the network scripts can only be patched');
      expect(error.message).toContain(distribution);
      expect(configure(base, {}, { distribution }).report).toEqual([]);
    }
    expect(faultOf(() => configure(treeWith({}), { network })).message).toContain(
      `${ETH0}: error: no such file`,
    );
    expect(faultOf(() => configure(treeWith({ [ETH0]: text('') }), { network })).message).toContain(
      FUNCTIONS,
    );
    expect(faultOf(() => configure(treeWith({ [ETH0]: 'directory' }), { network })).message).toContain(
      'a directory',
    );
  });

  test('are not touched without the setting', async () => {
    expect(await differencesOf(base, configure(base, {}).tree)).toEqual([]);
  });
});
