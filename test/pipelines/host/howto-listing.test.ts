import { describe, expect, test } from 'vitest';
import { FileNames } from '../../../pipelines/host/file-names.js';
import { howtoSteps } from '../../../pipelines/host/howto-steps.js';
import { shellScript } from '../../../pipelines/host/shell-script.js';
import { loadRecipe } from '../../../pipelines/recipe/load-recipe.js';
import { run } from '../../support/tools.js';

/**
 * The commands of the HOWTO, sections 5.1 to 5.7, as they stand there; `Ctrl-D` and `su` are the reader's. In 5.6 the
 * files that it lists are removed where the recipe has the distribution's rc directory.
 */
const LISTING = [
  'bunzip2 -c root_fs.rh72.pristine.bz2 >root_fs.ext2',
  'mkdir /mnt.ext2',
  'mount root_fs.ext2 /mnt.ext2 -o loop,ro',
  'dd of=root_cidev bs=1024 seek=4096 count=0',
  'dd of=root_fs bs=1024 seek=2097152 count=0',
  'chmod a+w root_cidev root_fs',
  'losetup /dev/loop1 root_cidev',
  'losetup /dev/loop2 root_fs',
  'ptool pool0cidev.cf',
  'ptool pool0.cf',
  'passemble',
  'gfsconf -c gfscf.cf',
  'mkfs_gfs -p memexp -t /dev/pool/pool0cidev -j 15 -J 32 -i /dev/pool/pool0',
  'mount -t gfs -o hostdata=192.168.50.1 /dev/pool/pool0 /mnt',
  'cp -a /mnt.ext2/. /mnt',
  'umount /mnt.ext2',
  'rmdir /mnt.ext2',
  'rm root_fs.ext2',
  'tar jxvf cluster-tools-0.6.5.tar.bz2',
  'cd cluster-tools',
  'make install_ssi_redhat UML_ROOT=/mnt',
  ...['S25netfs', 'S50snmpd', 'S55named', 'S55sshd', 'S56xinetd', 'S80sendmail', 'S85gpm'],
  ...['S85httpd', 'S90crond', 'S90squid', 'S90xfs', 'S91smb', 'S95innd'],
  'umount /mnt',
  'passemble -r all',
  'losetup -d /dev/loop1',
  'losetup -d /dev/loop2',
].map((line) => (/^S\d/.test(line) ? `rm -f /mnt/etc/rc.d/rc3.d/${line}` : line));

/** What the HOWTO has the reader enter into files, blanks at the ends of lines left out. */
const POOL = `poolname pool0
subpools 1
subpool 0 0 1 gfs_data
pooldevice 0 0 /dev/loop2 0
`;
const LOCK_TABLE = `datadev:        /dev/pool/pool0
cidev:          /dev/pool/pool0cidev
lockdev:        192.168.50.101:15697
cbport:         3001
timeout:        30
STOMITH: NUN
name:none
${Array.from({ length: 15 }, (_, index) => `node: ${`192.168.50.${index + 1}`.padEnd(18)}${`${index + 1}`.padEnd(8)}SM: none\n`).join('')}`;

function scriptOf(recipe: string, set: readonly string[] = [], mountPoint = '/mnt'): string {
  const loaded = loadRecipe(recipe, { set });
  return shellScript(loaded, howtoSteps(loaded, { mountPoint, recipeArguments: [recipe] }));
}

test('what the recipe names never has the name of an image: it would be written over', () => {
  const names = new FileNames(['root_fs']);
  const of = (location: string) => names.of({ location, mirrors: [], at: [] });
  expect(of('/home/somebody/root_fs')).toBe('1-root_fs');
  expect(of('/home/somebody/stamp')).toBe('2-stamp');
  expect(of('/home/somebody/x.tar')).toBe('x.tar');
  expect(of('/home/another/x.tar')).toBe('4-x.tar');
  expect(of('/home/somebody/x.tar')).toBe('x.tar');
  expect(of('http://example.org/-o%2f%zz')).toBe('5--o_2f_zz'.replaceAll('_', '%'));
});

describe('the dry run of the backend host', () => {
  test('has every command of HOWTO 5.1 to 5.7 for redhat72, in order', () => {
    const lines = scriptOf('redhat72').split('\n');
    expect(lines.filter((line) => LISTING.includes(line))).toEqual(LISTING);
  });

  test('has the texts that the HOWTO has the reader enter', () => {
    const script = scriptOf('redhat72');
    expect(script).toContain(`cat >pool0.cf <<'END'\n${POOL}END\n`);
    expect(script).toContain(
      `cat >pool0cidev.cf <<'END'\n${POOL.replace('pool0', 'pool0cidev').replace('loop2', 'loop1')}END\n`,
    );
    expect(script).toContain(`cat >gfscf.cf <<'END'\n${LOCK_TABLE}END\n`);
  });

  test('takes the values of the recipe', () => {
    const script = scriptOf(
      'redhat72',
      ['nodes=3', 'rootSize=4GiB', 'configure.ubd.minorStep=1'],
      '/somewhere/else',
    );
    expect(script).toContain('\ndd of=root_fs bs=1024 seek=4194304 count=0\n');
    expect(script).toContain(' -j 3 -J 32 ');
    expect(script).toContain('\nremake /somewhere/else/dev/ubd/7 7 ');
    expect(script).toContain('\numount /somewhere/else.ext2\n');
    expect(script).not.toContain('/mnt');
  });

  test('is a script that sh takes, whatever the names in it', () => {
    const script = scriptOf('redhat72', [
      "base.image=http://example.org/it's-a-$(base)-%zz.bz2",
      'configure.remove=["/a\'b $c"]',
    ]);
    run('sh', ['-n', '-c', script]);
    expect(script).toContain(`rm -rf '/mnt/a'\\''b $c'`);
    expect(script).not.toMatch(/^[^']*\$\(base\)/m);
  });
});
