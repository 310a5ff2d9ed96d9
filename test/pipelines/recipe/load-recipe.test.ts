import { symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeEach, describe, expect, test } from 'vitest';
import { loadRecipe } from '../../../pipelines/recipe/load-recipe.js';
import type { Recipe } from '../../../pipelines/recipe/recipe.js';
import { digest, errorOf, recipeRig, simple, sourceOf } from './rig.js';

const examples = fileURLToPath(new URL('./examples/', import.meta.url));
const { folder, load, withSet, write } = recipeRig();

beforeEach(() => write({ 'recipe.yaml': simple }));

describe('a loaded recipe', () => {
  test('has every key as it is written, variables put in', () => {
    const { faultAt, ...recipe } = loadRecipe(join(examples, 'complete.yaml'));
    expect(recipe).toEqual({
      name: 'complete',
      summary: 'Every key for 5 nodes',
      distribution: 'caldera',
      epoch: 1030000000,
      files: [join(examples, 'complete.yaml'), join(examples, 'defaults/cluster.yaml')],
      base: {
        kind: 'image',
        source: {
          location: 'http://mirror.example.org/root_fs.rh72.pristine.bz2',
          mirrors: ['https://other.example.org/root_fs.bz2'],
          sha256: digest,
          at: ['base', 'image'],
        },
      },
      cluster: {
        nodes: 5,
        addresses: ['10.1.0.1', '10.1.0.2', '10.1.0.3', '10.1.0.4', '10.1.0.5'],
        lockServer: '10.1.200.1:15697',
        prefix: 16,
        callbackPort: 3002,
        timeout: 60,
        stomith: 'meatware',
        token: 1000,
      },
      pools: [
        { name: 'locks', image: 'root_cidev', size: 4194304, type: 'gfs_data', device: '/dev/loop3' },
        { name: 'root', image: 'root.img', size: 2 ** 30, type: 'gfs_data', device: '/dev/loop4' },
      ],
      filesystem: {
        type: 'opengfs',
        pool: 'root',
        lockProtocol: 'nolock',
        lockTable: '/dev/pool/locks',
        journals: 8,
        journalSize: 16 * 1024 ** 2,
        blockSize: 8192,
      },
      lockTableImage: {
        location: 'http://example.org/root_cidev',
        mirrors: [],
        sha256: digest,
        at: ['lockTable', 'image'],
      },
      clusterTools: {
        source: {
          root: ':pserver:anonymous@cvs.example.org:/cvsroot/ci-linux',
          module: 'cluster-tools',
          date: '2002-05-29',
          at: ['clusterTools', 'source', 'cvs'],
        },
        rule: 'install_ssi_redhat',
        timeLimit: 90,
        needs: ['/etc/inittab'],
      },
      modules: {
        kind: 'image',
        source: { location: join(examples, 'complete.yaml'), mirrors: [], at: ['modules', 'image'] },
        path: '/lib/modules/2.4',
      },
      configure: {
        ubd: { devices: 16, minorStep: 1 },
        inittab: { source: '/etc/inittab.uml', dhcpd: false, getty: 'ttyS0' },
        rcDirectory: '/etc/init',
        removeServices: ['rc3.d/S25netfs', 'rc3.d/S50snmpd'],
        remove: ['/var/cache'],
        files: [
          {
            to: '/root/defaults',
            uid: 0,
            gid: 0,
            at: ['configure', 'files', 0],
            source: {
              location: join(examples, 'defaults'),
              mirrors: [],
              at: ['configure', 'files', 0, 'from'],
            },
          },
          {
            to: '/etc/motd',
            mode: 0o4750,
            uid: 10,
            gid: 20,
            at: ['configure', 'files', 1],
            content: `5 nodes; \${HOME} stays.\n`,
          },
        ],
        network: { patch: true, hosts: false },
      },
      tests: [
        {
          name: 'members',
          run: 'test $(cluster | wc -l) = $SSI_NODES',
          node: 'all',
          timeout: 60,
          expect: { code: 0 },
        },
        {
          name: 'a name',
          run: 'hostname\n',
          node: 2,
          timeout: 5,
          expect: { code: 3, output: 'node2\n', matches: '^node5|node\\d$' },
        },
      ],
    });
  });

  test('tests of a recipe replace those of what it extends, as lists do', () => {
    const tests = (...names: string[]): string =>
      `tests: [${names.map((name) => `{name: ${name}, run: "true"}`).join(', ')}]\n`;
    write({
      'below.yaml': simple + tests('one', 'two'),
      'recipe.yaml': 'recipe: 1\nextends: ./below.yaml\n',
    });
    const names = (): string[] => load('./recipe.yaml').tests.map(({ name }) => name);
    expect(names()).toEqual(['one', 'two']);
    write({ 'recipe.yaml': `recipe: 1\nextends: ./below.yaml\n${tests('three')}` });
    expect(names()).toEqual(['three']);
    write({ 'recipe.yaml': 'recipe: 1\nextends: ./below.yaml\ntests: null\n' });
    expect(names()).toEqual([]);
  });

  test('has the defaults for what it leaves out', () => {
    write({
      'recipe.yaml': `${simple}clusterTools: {source: http://example.org/t.tar}\nmodules: {image: ./recipe.yaml}\nconfigure: {ubd: {}, inittab: {}}\n`,
    });
    const recipe = load('./recipe.yaml');
    expect(recipe).toMatchObject({ summary: '', epoch: 0 });
    expect(recipe.cluster).toMatchObject({ callbackPort: 3001, timeout: 30, stomith: 'NUN' });
    expect(recipe.pools[0]?.type).toBe('gfs_data');
    expect(recipe.filesystem).toMatchObject({
      journals: 2,
      journalSize: 32 * 1024 ** 2,
      blockSize: 4096,
      lockProtocol: 'memexp',
    });
    expect(recipe.clusterTools).toMatchObject({ rule: 'install_ssi_redhat', timeLimit: 1800, needs: [] });
    expect(recipe.modules).toMatchObject({ kind: 'image', path: '/lib/modules' });
    expect(recipe.configure).toEqual({
      ubd: { devices: 8, minorStep: 16 },
      inittab: { source: '/etc/inittab.ssi', dhcpd: false, getty: 'tty0' },
      rcDirectory: '/etc/rc.d',
      removeServices: [],
      remove: [],
      files: [],
      network: { patch: false, hosts: false },
    });
    expect('lockTableImage' in recipe).toBe(false);
  });

  test('of a GFS2 root has what nodes start from', () => {
    write({
      'recipe.yaml': `recipe: 1
name: gfs2
distribution: debian
base: {tar: http://example.org/root.tar}
cluster: {nodes: 2, network: 10.0.0.0/30, token: 3000}
filesystem: {type: gfs2, size: 1GiB, lockTable: "ssi:root"}
ramdisk: {ownPaths: [/var/log], modules: [loop], kernelVersion: 6.1.0}
kernel: {path: /usr/bin/linux.uml}
ssh: {}
`,
    });
    const recipe = load('./recipe.yaml');
    expect(recipe.pools).toEqual([]);
    expect(recipe.cluster).toMatchObject({ addresses: ['10.0.0.1', '10.0.0.2'], prefix: 30, token: 3000 });
    expect(recipe.cluster).not.toHaveProperty('lockServer');
    expect(recipe.filesystem).toEqual({
      type: 'gfs2',
      image: 'root_fs',
      size: 1024 ** 3,
      lockTable: 'ssi:root',
      lockProtocol: 'lock_dlm',
      journals: 2,
      journalSize: 32 * 1024 ** 2,
      blockSize: 4096,
    });
    expect(recipe.ramdisk).toEqual({
      format: 'cpio',
      kernelVersion: '6.1.0',
      modules: ['loop'],
      interface: 'eth0',
      rootDevice: '/dev/ubda',
      ownPaths: ['/var/log'],
      at: ['ramdisk'],
    });
    expect(recipe.kernel).toEqual({ kind: 'base', path: '/usr/bin/linux.uml' });
    expect(recipe.ssh).toEqual({ kind: 'seed' });
  });

  test('of an OpenGFS root has a ramdisk with a linuxrc', () => {
    write({
      'recipe.yaml': `${simple}ramdisk: {lockServer: on, memexpdArguments: [-d], kernelVersion: 2.4.16-21um, mkinitrd: /sbin/cluster_mkinitrd}\nkernel: {image: ./recipe.yaml}\nssh: {hostKey: ./recipe.yaml, userKey: ./recipe.yaml}\n`,
    });
    const { ramdisk, kernel, ssh } = load('./recipe.yaml');
    expect(ramdisk).toMatchObject({
      format: 'ext2',
      lockServer: true,
      init: '/sbin/init',
      memexpdArguments: ['-d'],
      mkinitrd: '/sbin/cluster_mkinitrd',
      rootDevice: '/dev/pool/pool0',
    });
    expect(kernel).toMatchObject({ kind: 'file', source: { location: join(folder, 'recipe.yaml') } });
    expect(ssh).toMatchObject({ kind: 'keys', userKey: { location: join(folder, 'recipe.yaml') } });
  });

  test.each([
    ['redhat', '/etc/rc.d'],
    ['caldera', '/etc/rc.d'],
    ['debian', '/etc'],
  ])('%s has its rc directories in %s', (distribution, directory) => {
    const recipe = withSet(`distribution=${distribution}`, 'clusterTools.source=http://example.org/t.tar');
    expect(recipe.configure.rcDirectory).toBe(directory);
    expect(recipe.clusterTools?.rule).toBe(`install_ssi_${distribution}`);
  });

  test('has the epoch of the environment before its own', () => {
    write({ 'recipe.yaml': `${simple}epoch: 5\n` });
    expect(load('./recipe.yaml').epoch).toBe(5);
    expect(load('./recipe.yaml', { epoch: 7 }).epoch).toBe(7);
    expect(load('./recipe.yaml', { epoch: 0 }).epoch).toBe(0);
  });

  test('gives faults of its values a place', () => {
    write({
      'defaults/base.yaml': simple,
      'recipe.yaml': 'recipe: 1\nextends: defaults/base.yaml\nsummary: here\n',
    });
    const recipe = load('./recipe.yaml');
    const shown = `  base: {image: http://example.org/root_fs.bz2, sha256: ${digest}, mirrors: [http://other.example.org/root_fs]}`;
    expect(recipe.faultAt(['base', 'image'], 'it has another digest', 'Pin it.').message).toBe(
      [
        'defaults/base.yaml:4:15: error: it has another digest',
        `${shown.slice(0, 122)}…`,
        '                ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^',
        '  in defaults/base.yaml, extended by ./recipe.yaml',
        '  Pin it.',
      ].join('\n'),
    );
    expect(recipe.faultAt(['pools', 1, 'size'], 'too small').message).toContain(
      'defaults/base.yaml:8:41: error',
    );
    // What a default gives is shown at what it would stand in; what nothing gives at the top of the recipe.
    expect(recipe.faultAt(['filesystem', 'blockSize'], 'x').message).toContain(
      'defaults/base.yaml:9:1: error: x',
    );
    expect(recipe.faultAt(['configure', 'inittab', 'getty'], 'x').message).toContain(
      './recipe.yaml:1:1: error: x',
    );
    expect(recipe.faultAt(['summary', 'deeper', 3], 'x').message).toContain('./recipe.yaml:3:10: error: x');
    expect(recipe.faultAt([], 'x').diagnostics[0]?.kind).toBe('recipe');
  });
});

describe('extends', () => {
  test('merges maps key by key, replaces lists, takes away with null', () => {
    write({
      'a.yaml': `${simple}configure: {remove: [/a, /b], inittab: {getty: tty1, source: /etc/x}, ubd: {devices: 4}}\n`,
      'b.yaml':
        'recipe: 1\nextends: a.yaml\nname: b\nconfigure: {remove: [/c], inittab: {getty: tty2}, ubd: null}\n',
      'c.yaml':
        'recipe: 1\nextends: ./b.yaml\nbase: {sha256: null}\nsummary: null\ncluster:\n  stomith: null\n',
    });
    const recipe = load('c.yaml');
    expect(recipe.name).toBe('b');
    expect(recipe.configure.remove).toEqual(['/c']);
    expect(recipe.configure.inittab).toEqual({ getty: 'tty2', source: '/etc/x', dhcpd: false });
    expect(recipe.configure.ubd).toBeUndefined();
    expect(sourceOf(recipe)).toEqual({
      location: 'http://example.org/root_fs.bz2',
      mirrors: ['http://other.example.org/root_fs'],
      at: ['base', 'image'],
    });
    expect(recipe.files).toEqual(['c.yaml', 'b.yaml', 'a.yaml'].map((name) => join(folder, name)));
  });

  test('leaves each path relative to the file that it stands in', () => {
    write({
      'below/defaults.yaml': `${simple}modules: {tar: ./modules.tar}\nvariables: {tools: ./tools.tar}\n`,
      'below/modules.tar': '',
      'below/tools.tar': '',
      image: '',
      'recipe.yaml': `recipe: 1\nextends: below/defaults.yaml\nbase: {image: ./image, sha256: null}\nclusterTools: {source: "\${tools}"}\n`,
    });
    const recipe = load('recipe.yaml');
    expect(sourceOf(recipe).location).toBe(join(folder, 'image'));
    expect(recipe.modules).toMatchObject({ source: { location: join(folder, 'below/modules.tar') } });
    expect(recipe.clusterTools?.source).toMatchObject({ location: join(folder, 'below/tools.tar') });
  });

  test('names files through links as they are called', () => {
    write({ 'real/a.yaml': simple });
    symlinkSync(join(folder, 'real'), join(folder, 'link'));
    write({ 'recipe.yaml': 'recipe: 1\nextends: link/a.yaml\n' });
    expect(load('./recipe.yaml').files[1]).toBe(join(folder, 'link/a.yaml'));
  });

  test('ends somewhere', () => {
    const files: Record<string, string> = {};
    for (let index = 0; index < 40; index++)
      files[`chain${index}.yaml`] = `recipe: 1\nextends: chain${index + 1}.yaml\n`;
    write(files);
    expect(errorOf(() => load('chain0.yaml'))).toContain('more than 16 recipes that extend each other');
  });
});

describe('variables', () => {
  const variables = (...lines: string[]): Recipe => {
    write({ 'recipe.yaml': `${simple}${lines.join('\n')}\n` });
    return load('./recipe.yaml');
  };

  test('keep their type where they stand alone, and are text elsewhere', () => {
    const recipe = variables(
      `variables: {n: 9, on: true, half: 1.50, all: "\${n}-\${on}-\${half}", deep: "<\${all}>", big: 1_000}`,
      `summary: \${deep} $\${n} $$\${n} $5 \${big}`,
      `epoch: \${n}`,
      `configure: {network: {patch: "\${on}"}}`,
    );
    expect(recipe.summary).toBe(`<9-true-1.50> \${n} $\${n} $5 1_000`);
    expect(recipe.epoch).toBe(9);
    expect(recipe.configure.network.patch).toBe(true);
  });

  test('can not fill the memory', () => {
    const lines = ['variables:', '  v0: xxxxxxxxxxxxxxxx'];
    for (let index = 1; index < 40; index++) lines.push(`  v${index}: "\${v${index - 1}}\${v${index - 1}}"`);
    expect(errorOf(() => variables(...lines, `summary: \${v39}`))).toContain('texts grow beyond 4 MiB');
  });

  test('refer to each other only so far', () => {
    const lines = ['variables:', '  v0: x'];
    for (let index = 1; index < 5000; index++) lines.push(`  v${index}: "\${v${index - 1}}"`);
    write({
      'long.yaml': `${simple}${lines.join('\n')}\n`,
      'recipe.yaml': `recipe: 1\nextends: ./long.yaml\nsummary: \${v90}\n`,
    });
    expect(load('./recipe.yaml').summary).toBe('x');
    const backwards = [...lines.slice(2)].reverse();
    expect(errorOf(() => variables('variables:', ...backwards, '  v0: x'))).toContain(
      'more than 100 variables',
    );
  });
});

describe('the file of a recipe', () => {
  const named = (name: string): Recipe => load(name, { recipesDirectory: join(folder, 'recipes') });

  beforeEach(() =>
    write({
      'recipes/redhat72.yaml': simple,
      'recipes/other.yml': simple,
      'recipes/README.md': '',
      'recipes/defaults/x.yaml': '',
    }),
  );

  test('is found by its name or its path', () => {
    expect(named('redhat72').files).toEqual([join(folder, 'recipes/redhat72.yaml')]);
    expect(named('other').files).toEqual([join(folder, 'recipes/other.yml')]);
    expect(named('recipe.yaml').files).toEqual([join(folder, 'recipe.yaml')]);
    expect(named('recipes/other.yml').name).toBe('simple');
    expect(named(join(folder, 'recipe.yaml')).name).toBe('simple');
  });

  test.each([
    ['rehdat72', 'error: there is no recipe "rehdat72" in recipes\n  Did you mean "redhat72"?'],
    [
      'suse',
      'error: there is no recipe "suse" in recipes\n  Known: other, redhat72. A path has a slash or ends in .yaml.',
    ],
    [
      'recipe',
      'error: there is no recipe "recipe" in recipes\n  For the file in this folder write recipe.yaml.',
    ],
    ['', 'error: the name of a recipe is empty'],
    ['./nix.yaml', './nix.yaml: error: no such file or directory\n  Check the path.'],
    ['./recipes', './recipes: error: this is a directory, not a recipe file'],
    ['/dev/null', '/dev/null: error: this is no ordinary file'],
    ['./a\0b', './a\\x00b: error: this is no path'],
    [
      'a\x1b[2J',
      'error: there is no recipe "a\\x1b[2J" in recipes\n  Known: other, redhat72. A path has a slash or ends in .yaml.',
    ],
  ])('%j is told in one message', (name, message) => {
    expect(errorOf(() => named(name))).toBe(message);
  });

  test('is neither too long, nor in another encoding', () => {
    write({ 'long.yaml': `${simple}# ${'x'.repeat(300_000)}\n` });
    expect(errorOf(() => load('long.yaml'))).toBe(
      'long.yaml: error: more than 256 KiB, which no recipe needs',
    );
    writeFileSync(join(folder, 'latin.yaml'), Buffer.from(`${simple}summary: caf\xe9\n`, 'latin1'));
    expect(errorOf(() => load('latin.yaml'))).toBe(
      'latin.yaml:10:13: error: this is not UTF-8 text\n  summary: caf\ufffd\n              ^',
    );
  });

  test('may refer to what is not there when only its keys are of interest', () => {
    write({ 'recipe.yaml': `${simple}modules: {tar: ./nix.tar}\n` });
    expect(errorOf(() => load('recipe.yaml'))).toContain('nix.tar: no such file or directory');
    expect(load('recipe.yaml', { checkFiles: false }).name).toBe('simple');
  });
});
