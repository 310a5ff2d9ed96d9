import { lstatSync, mkdtempSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { Attributes, FileNode } from '../../../images/tree/node.js';
import type { Tree } from '../../../images/tree/tree.js';
import { TreeBuilder } from '../../../images/tree/tree-builder.js';
import type { Installed, InstallRequest } from '../../../pipelines/cluster-tools/install.js';
import { temporaryFolder } from '../../support/temporary.js';
import { describeWith } from '../../support/tools.js';
import { differencesOf } from '../../support/tree-of.js';
import { installedByHand } from './installed-by-hand.js';
import { applied, failureOf, install, linesOf } from './installing.js';

const scratch = temporaryFolder();

function attributes(mode: number, uid = 0, seconds = 1_020_000_000): Attributes {
  return { mode, uid, gid: uid, mtime: { seconds, nanoseconds: 0 } };
}

function file(text: string, look = attributes(0o644)): FileNode {
  const bytes = Buffer.from(text, 'latin1');
  return { ...look, type: 'file', size: bytes.length, content: { kind: 'inline', bytes } };
}

/** Files of data, of which many look the same: `common` there, and in `more` with names that are linked. */
function baseWithData(): Tree {
  const builder = new TreeBuilder(attributes(0o755));
  for (const path of ['/etc', '/opt', '/sbin', '/usr', '/usr/share', '/usr/share/more', '/usr/lib', '/var'])
    builder.directory(path, attributes(0o755));
  for (const name of ['a', 'b', 'c', 'd']) {
    builder.put(`/usr/share/${name}`, file(`common ${name}\0`));
    builder.put(`/usr/share/more/${name}`, file(`more ${name}\0`.repeat(2000)));
    builder.put(`/usr/lib/${name}`, file(`program ${name}\0`, attributes(0o755)));
    builder.put(`/sbin/${name}`, file(`tool ${name}\0`));
  }
  builder.link('/usr/share/more/linked', '/usr/share/more/a');
  builder.link('/opt/linked', '/usr/share/more/a');
  for (const name of ['e', 'f']) builder.put(`/usr/share/${name}`, file(''));
  builder.put('/usr/share/owned', file('owned\0', attributes(0o644, 7)));
  builder.put('/usr/share/older', file('older\0', attributes(0o644, 0, 5)));
  builder.put('/usr/share/setuid', file('setuid\0', attributes(0o4755)));
  return builder.build();
}

function sourceOf(recipe: string): string {
  const source = mkdtempSync(join(scratch, 'source-'));
  writeFileSync(join(source, 'Makefile'), `S = $(UML_ROOT)/usr/share\n\nrule:\n\t${recipe}\n`);
  writeFileSync(join(source, 'new'), 'new\n');
  return source;
}

function installed(recipe: string, request: Partial<InstallRequest> = {}): Promise<Installed> {
  return install(scratch, 'rule', { base: baseWithData(), source: sourceOf(recipe), ...request });
}

/** How often make ran. */
function runsIn(lines: readonly string[]): number {
  return lines.filter((line) => line === 'started').length;
}

describeWith(['make', 'fakeroot', 'bwrap'], 'Files of data', () => {
  test('that look the same are one file in the staging root', async () => {
    const root = join((await installed('true')).log, '..', 'root');
    const inode = (path: string): number => lstatSync(join(root, path)).ino;
    const share = (...names: string[]): number[] => names.map((name) => inode(`usr/share/${name}`));
    const all = [...share('a', 'b', 'c', 'd', 'more/a', 'more/b', 'more/linked'), inode('opt/linked')];
    expect(new Set(all).size).toBe(1);
    expect(new Set(share('e', 'f')).size).toBe(1);
    expect(new Set(share('a', 'e', 'owned', 'older', 'setuid', '../lib/a')).size).toBe(6);
    expect(new Set(readdirSync(join(root, 'sbin')).map((name) => inode(`sbin/${name}`))).size).toBe(4);
  });

  test('that a rule leaves alone are not in the overlay, and it runs once', async () => {
    const lines: string[] = [];
    const result = await installed('@echo started; cp new $(UML_ROOT)/usr/share/more/new', {
      onOutput: (line) => lines.push(line),
    });
    expect(runsIn(lines)).toBe(1);
    const names = (await linesOf(result.overlay)).map((line) => /"path":"([^"]*)"/.exec(line)?.[1]);
    expect(names).toEqual(['/', '/usr', '/usr/share', '/usr/share/more', '/usr/share/more/new']);
    expect(result.facts.laidOut).toMatchObject({ placeholders: 23, leftOut: 0 });
  });
});

/** What a rule may do to some of the files that it finds as one. */
const recipes = [
  'rm $S/a',
  'rm $S/more/a',
  'rm $S/more/linked $(UML_ROOT)/opt/linked',
  'rm -r $S/more',
  'rm -r $S/more && mkdir $S/more && echo 1 >$S/more/a',
  'mv $S/more $(UML_ROOT)/opt/more',
  'mv $S/more $S/less',
  'mv $S/a $S/moved',
  'mv $S/a $(UML_ROOT)/sbin/moved',
  'mv -f $S/a $S/b',
  'mv -f $S/a $S/more/b',
  'mv $S/a $S/t && mv $S/b $S/a && mv $S/t $S/b',
  'mv $S/a $S/t && cp new $S/a',
  'ln $S/a $S/another',
  'ln -f $S/a $S/b',
  '-ln $S/a $S/b; ln -f $S/a $S/c',
  'ln $(UML_ROOT)/sbin/a $S/another',
  'chmod 600 $S/a',
  'chmod u+s $S/more/a',
  'chown 5:6 $S/b',
  'chown 5 $(UML_ROOT)/opt/linked',
  'touch -d @1000000000 $S/c',
  'touch -r $S/older $S/c && test ! $S/c -nt $S/older && test $S/a -nt $S/c',
  'cp new $S/a',
  'install -m 644 new $S/a',
  'cp new $S/e',
  'echo 1 >>$S/f',
  ': >$S/d',
  'for name in $S/*; do test -x $$name || ln -s $${name##*/} $$name.link; done',
  'test -s $S/a && test ! -s $S/e && test -x $(UML_ROOT)/usr/lib/a && test ! -x $S/a',
  'test -u $S/setuid && test "$$(stat -c "%u %a %Y" $S/owned)" = "7 644 1020000000"',
  'chmod 000 $S && mkdir $(UML_ROOT)/var/new',
];

describeWith(['make', 'fakeroot', 'bwrap'], 'A rule does to files of data what it does by hand', () => {
  test.each(recipes)('%s', async (recipe) => {
    const source = sourceOf(recipe);
    const base = baseWithData();
    const expected = await installedByHand(scratch, 'rule', { base, source });
    const result = await install(scratch, 'rule', { base: baseWithData(), source });
    expect(await differencesOf(expected, applied(result, baseWithData()))).toEqual([]);
  });
});

describeWith(['make', 'fakeroot', 'bwrap'], 'A rule that fails on files of data', () => {
  test('is told what to do, as with any other file', async () => {
    expect(await failureOf(installed('cat $S/a'))).toContain('clusterTools: {needs: [/usr/share/a]}');
    const appended = await failureOf(installed('echo 1 >>$S/b'));
    expect(appended).toContain('the make rule changed /usr/share/b in place');
    const copied = await failureOf(installed('chmod 755 $S/c && cp $S/c $S/copy'));
    expect(copied).toContain('the make rule copied /usr/share/c');
  });

  test('is run again only where that may be why', async () => {
    const runs = async (recipe: string): Promise<number> => {
      const lines: string[] = [];
      await failureOf(installed(recipe, { onOutput: (line) => lines.push(line) }));
      return runsIn(lines);
    };
    expect(await runs('@echo started; false')).toBe(1);
    expect(await runs('@echo started; rm $S/a; false')).toBe(2);
  });

  test('sees those with their contents that it needs', async () => {
    const result = await installed('cat $S/a >$S/copied; echo 1 >>$S/b', {
      needs: ['/usr/share/a', '/usr/share/b'],
    });
    const copied = result.overlay.get('/usr/share/copied');
    expect(copied).toMatchObject({ type: 'file', size: 'common a\0'.length });
    expect(result.overlay.get('/usr/share/b')).toMatchObject({ size: 'common b\0'.length + 2 });
    expect(result.overlay.get('/usr/share/c')).toBeUndefined();
  });
});

describe('Many files of data', () => {
  test.skipIf(process.platform !== 'linux')('have no more names each than a filesystem allows', async () => {
    const builder = new TreeBuilder(attributes(0o755));
    for (const path of ['/etc', '/usr', '/usr/share']) builder.directory(path, attributes(0o755));
    for (let number = 0; number < 2500; number++) builder.put(`/usr/share/${number}`, file('x'));
    const result = await installed('true', { base: builder.build() });
    expect(result.facts).toMatchObject({ laidOut: { placeholders: 2500 }, added: 0, removed: 0 });
    const root = join(result.log, '..', 'root', 'usr', 'share');
    const inodes = new Set(readdirSync(root).map((name) => lstatSync(join(root, name)).ino));
    expect(inodes.size).toBe(3);
  });
});
