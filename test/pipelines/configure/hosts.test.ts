import { describe, expect, test } from 'vitest';
import { readContent } from '../../../images/tree/content.js';
import type { Tree } from '../../../images/tree/tree.js';
import { text, treeWith } from '../../support/small-trees.js';
import { configure } from './edit.js';

const nodes = [
  { name: 'node1', address: '192.168.50.1' },
  { name: 'node2', address: '192.168.50.2' },
];
const settings = { network: { patch: false, hosts: true } };
const LINES = '# The nodes of the cluster\n192.168.50.1\tnode1\n192.168.50.2\tnode2\n';

function hostsOf(tree: Tree): string {
  const node = tree.get('/etc/hosts');
  if (node?.type !== 'file') throw new Error('no /etc/hosts');
  return readContent(node.content, node.size).toString();
}

function added(before: string): { text: string; outcomes: string[] } {
  const { tree, report } = configure(treeWith({ '/etc/hosts': text(before) }), settings, { nodes });
  return { text: hostsOf(tree), outcomes: report.map(({ outcome }) => outcome) };
}

describe('the nodes in /etc/hosts', () => {
  test('come behind what is there, also without a last newline', () => {
    expect(added('127.0.0.1 localhost\n')).toEqual({
      text: `127.0.0.1 localhost\n${LINES}`,
      outcomes: ['changed'],
    });
    expect(added('127.0.0.1 localhost').text).toBe(`127.0.0.1 localhost\n${LINES}`);
  });

  test('come once, and a name that is there keeps its address', () => {
    const once = added('127.0.0.1 localhost\n').text;
    expect(added(once)).toEqual({ text: once, outcomes: ['already done'] });
    expect(added('10.0.0.7 front node2 # not node1\n').text).toBe(
      '10.0.0.7 front node2 # not node1\n# The nodes of the cluster\n192.168.50.1\tnode1\n',
    );
  });

  test('make the file where there is none', () => {
    const { tree, report } = configure(treeWith({ '/etc/motd': text('') }), settings, { nodes });
    expect(hostsOf(tree)).toBe(`127.0.0.1\tlocalhost\n${LINES}`);
    expect(report).toMatchObject([{ step: 'network', path: '/etc/hosts', outcome: 'added' }]);
  });

  test('stay out of it unless they are asked for', () => {
    const { tree } = configure(treeWith({ '/etc/hosts': text('x\n') }), {}, { nodes });
    expect(hostsOf(tree)).toBe('x\n');
  });
});
