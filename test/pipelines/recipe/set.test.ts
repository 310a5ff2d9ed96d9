import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { digest, errorOf, recipeRig, simple, sourceOf } from './rig.js';

const { folder, load, withSet, write } = recipeRig();

beforeEach(() => write({ 'recipe.yaml': simple }));

describe('--set', () => {
  test('sets keys by their dotted paths', () => {
    const recipe = withSet(
      'cluster.nodes=1',
      'pools.1.size=512MiB',
      'summary=a b # c',
      'configure.inittab.getty=ttyS1',
    );
    expect(recipe.cluster.nodes).toBe(1);
    expect(recipe.pools[1]?.size).toBe(512 * 1024 ** 2);
    expect(recipe.summary).toBe('a b # c');
    expect(recipe.configure.inittab?.getty).toBe('ttyS1');
    expect(withSet('summary="it\\x27s"').summary).toBe("it's");
    expect(withSet("name='7'").name).toBe('7');
    expect(withSet('cluster.nodes=1', 'cluster.nodes=2').cluster.nodes).toBe(2);
  });

  test('sets variables, with the type of their default', () => {
    write({
      'recipe.yaml': `${simple}variables: {n: 1, label: x, big: 1GiB, flag: false}\nsummary: "\${n} \${label} \${big} \${flag}"\n`,
    });
    expect(withSet('n=2', 'label=007', 'big=4096', 'flag=true').summary).toBe('2 007 4096 true');
    expect(withSet('variables.n=3', 'label=').summary).toBe('3  1GiB false');
    expect(errorOf(() => withSet('n=x', 'big=huge', 'flag=1', 'flag='))).toBe(
      [
        '--set: error: the variable n is a number, but this is "x"',
        '  --set n=x',
        '          ^',
        '  ./recipe.yaml:10:16: its default is here',
        '--set: error: the variable big is a size such as 4MiB, but this is "huge"',
        '  --set big=huge',
        '            ^^^^',
        '  ./recipe.yaml:10:34: its default is here',
        '--set: error: the variable flag is true or false, but this is "1"',
        '  --set flag=1',
        '             ^',
        '  ./recipe.yaml:10:46: its default is here',
        '--set: error: the variable flag needs a value',
        '  --set flag=',
        '             ^',
      ].join('\n'),
    );
  });

  test('replaces what the base is, and drops the digest of what is replaced', () => {
    write({ 'here/root.tar': '', 'here/image': '' });
    const other = 'ff'.repeat(32);
    const recipe = (...set: string[]) => load('./recipe.yaml', { set });
    const source = (...set: string[]) => sourceOf(recipe(...set));
    expect(recipe('base.tar=here/root.tar').base).toEqual({
      kind: 'tar',
      source: { location: join(folder, 'here/root.tar'), mirrors: [], at: ['base', 'tar'] },
    });
    expect(recipe('base.directory=./here').base.kind).toBe('directory');
    expect(source('base.image=here/image')).not.toHaveProperty('sha256');
    expect(source(`base.sha256=${other}`, 'base.image=here/image').sha256).toBe(other);
    expect(source('base.image=here/image', `base.sha256=${other}`).sha256).toBe(other);
    expect(source('base.image=http://example.org/root_fs.bz2').sha256).toBe(digest);
    expect(source('base.sha256=')).not.toHaveProperty('sha256');
    expect(errorOf(() => recipe('base.image=here/image', 'base.tar=here/root.tar'))).toContain(
      'base has both "image" and "tar"',
    );
  });

  test('does the same for tools, modules, files and the lock table', () => {
    write({
      x: '',
      'recipe.yaml': `${simple}clusterTools: {source: http://example.org/t.tar, sha256: ${digest}}
modules: {image: http://example.org/old, path: /lib/modules/2.4, sha256: ${digest}}
lockTable: {image: http://example.org/cidev, sha256: ${digest}}
configure: {files: [{content: text, to: /x}]}
`,
    });
    const recipe = withSet(
      'clusterTools.source=x',
      'modules.image=x',
      'lockTable.image=x',
      'configure.files.0.from=x',
    );
    const source = { location: join(folder, 'x'), mirrors: [] };
    expect(recipe.clusterTools?.source).toEqual({ ...source, at: ['clusterTools', 'source'] });
    expect(recipe.modules).toEqual({
      kind: 'image',
      source: { ...source, at: ['modules', 'image'] },
      path: '/lib/modules/2.4',
    });
    expect(recipe.lockTableImage).toEqual({ ...source, at: ['lockTable', 'image'] });
    expect(recipe.configure.files[0]).toMatchObject({ source: { location: join(folder, 'x') } });
    expect(recipe.configure.files[0]).not.toHaveProperty('content');
    expect(withSet('modules.tar=x').modules).toEqual({
      kind: 'tree',
      source: { ...source, at: ['modules', 'tar'] },
    });
    expect(withSet('modules.path=/m').modules).toMatchObject({ path: '/m', source: { sha256: digest } });
    expect(withSet('modules.image=', 'modules.sha256=').modules).toEqual({
      kind: 'base',
      path: '/lib/modules/2.4',
    });
    expect(withSet('clusterTools.source.path=x').clusterTools?.source).toEqual({
      ...source,
      at: ['clusterTools', 'source', 'path'],
    });
    expect(
      withSet('clusterTools.source.cvs.root=../repository', 'clusterTools.source.cvs.module=m').clusterTools
        ?.source,
    ).toEqual({
      root: join(folder, '../repository'),
      module: 'm',
      at: ['clusterTools', 'source', 'cvs'],
    });
  });

  test('tells what is wrong, at the argument', () => {
    const set = [
      'nodes=3',
      'clutser.nodes=3',
      'pools.2.size=1',
      'pools.x=1',
      'nothing',
      '=1',
      'a..b=1',
      'cluster.nodes=many',
      'name="x',
      'base.image=./nix',
      'a.b.c.d.e.f.g.h.i=1',
      'epoch.x=1',
    ];
    expect(errorOf(() => withSet(...set))).toBe(
      [
        '--set: error: unknown key "nodes"',
        '  --set nodes=3',
        '        ^^^^^',
        '  "nodes" is a key of cluster.',
        '--set: error: unknown key "clutser"',
        '  --set clutser.nodes=3',
        '        ^^^^^^^',
        '  Did you mean "cluster"?',
        '--set: error: pools is a list of 2: a number from 0 to 1 belongs here',
        '  --set pools.2.size=1',
        '              ^',
        '--set: error: pools is a list of 2: a number from 0 to 1 belongs here',
        '  --set pools.x=1',
        '              ^',
        '--set: error: --set needs the form key=value',
        '  --set nothing',
        '        ^^^^^^^',
        '  For example --set cluster.nodes=3.',
        '--set: error: --set needs the form key=value',
        '  --set =1',
        '        ^^',
        '  For example --set cluster.nodes=3.',
        '--set: error: a part of the key is empty',
        '  --set a..b=1',
        '          ^',
        '  For example --set cluster.nodes=3.',
        '--set: error: nodes is "many": a whole number from 1 to 255 belongs here',
        '  --set cluster.nodes=many',
        '                      ^^^^',
        '--set: error: the quotes of this value do not fit together',
        '  --set name="x',
        '             ^^',
        '--set: error: nix: no such file or directory',
        '  --set base.image=./nix',
        '                   ^^^^^',
        '  Check the path.',
        '--set: error: no recipe key lies so deep',
        '  --set a.b.c.d.e.f.g.h.i=1',
        '        ^^^^^^^^^^^^^^^^^^^',
        '--set: error: epoch is a map: a whole number from 0 to 4294967295 belongs here',
        '  --set epoch.x=1',
        '        ^^^^^',
      ].join('\n'),
    );
  });

  test('shows where a variable that was set leads to a fault', () => {
    write({ 'recipe.yaml': `${simple}variables: {size: 1}\nepoch: \${size}\n` });
    expect(errorOf(() => withSet('size=-4'))).toBe(
      [
        './recipe.yaml:11:8: error: epoch is -4: a whole number from 0 to 4294967295 belongs here',
        `  epoch: \${size}`,
        '         ^^^^^^^',
        `  --set: \${size} is -4 here`,
      ].join('\n'),
    );
  });
});
