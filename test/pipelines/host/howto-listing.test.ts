import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { FileNames } from '../../../pipelines/host/file-names.js';
import { howtoSteps } from '../../../pipelines/host/howto-steps.js';
import { shellScript } from '../../../pipelines/host/shell-script.js';
import { loadRecipe } from '../../../pipelines/recipe/load-recipe.js';
import { run } from '../../support/tools.js';

interface Command {
  readonly section: string;
  readonly text: string;
}

/** The HOWTO's own listing, as the script has to have it. `su` and Ctrl-D are for the reader's fingers. */
function howtoCommands(): Command[] {
  const path = join(import.meta.dirname, '../../fixtures/howto-commands.txt');
  const lines = readFileSync(path, 'utf8').split('\n');
  return lines.flatMap((line) => {
    const [, section, how, text] = /^(5\.\d) (host[#$]|removed) (.+)$/.exec(line) ?? [];
    if (section === undefined || text === undefined || ['su', 'Ctrl-D'].includes(text)) return [];
    return [{ section, text: how === 'removed' ? removal(text) : hereNotAtHome(text) }];
  });
}

/** The files of 5.6 lie where Red Hat has its start links; /etc/rc3.d is a link to there. */
function removal(path: string): string {
  return `rm -f /mnt${path.replace('/etc/', '/etc/rc.d/')}`;
}

/** What was downloaded lies where the commands run. */
function hereNotAtHome(text: string): string {
  return text.replaceAll('~/', '');
}

/** The lines of a script below the headings of its sections. */
function commandsOf(script: string): Command[] {
  let section = '';
  return script.split('\n').flatMap((text) => {
    const heading = /^# (5\.\d)\. /.exec(text)?.[1];
    if (heading !== undefined) section = heading;
    return [{ section, text }];
  });
}

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
    const listing = howtoCommands();
    expect(listing.length).toBe(38);
    const texts = new Set(listing.map(({ text }) => text));
    expect(commandsOf(scriptOf('redhat72')).filter(({ text }) => texts.has(text))).toEqual(listing);
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
