import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { projectRecipes } from '../../pipelines/recipe/recipe-folder.js';
import { compiledInto } from '../support/compiled.js';
import {
  bareMachine,
  Room,
  type RoomResult,
  withoutDevices,
  withoutPrograms,
  withSmallDisk,
} from '../support/room.js';
import { writeSampleExt2 } from '../support/sample-ext2.js';
import { temporaryFolder } from '../support/temporary.js';
import { findTool, tool } from '../support/tools.js';

/** Which loop device is free changes while others use some. */
function anyLoop(text: string): string {
  return text.replace(/\/dev\/loop\d+/, '/dev/loopN');
}

/** Hosts that lack something, as bubblewrap shows them: each thing that is told is looked at by doing it. */

const lacking = [
  'bwrap',
  'setpriv',
  'unshare',
  'mmdebstrap',
  'cvs',
  'make',
  'losetup',
  'newuidmap',
  'mke2fs',
].filter((name) => findTool(name) === undefined);
const fault =
  process.getuid?.() !== 0 ? 'root' : lacking.length > 0 ? `the programs ${lacking.join(', ')}` : undefined;
if (fault !== undefined && process.env.REQUIRE_TOOLS === '1')
  throw new Error(`REQUIRE_TOOLS=1, but: ${fault}`);

describe.skipIf(fault !== undefined)(
  `doctor tells the truth, and build refuses in its words${fault === undefined ? '' : ` [skipped: needs ${fault}]`}`,
  () => {
    const folder = temporaryFolder();
    const programs = temporaryFolder();
    const project = join(import.meta.dirname, '../..');
    let program: string;
    let places: string[];

    beforeAll(() => {
      program = compiledInto(programs, 'scripts/ssi-image.ts');
      const compiledFolder = join(program, '../..');
      symlinkSync(projectRecipes(), join(compiledFolder, 'recipes'));
      for (const path of [folder, compiledFolder]) chmodSync(path, 0o755);
      const open = join(folder, 'open');
      mkdirSync(open);
      chmodSync(open, 0o777);
      mkdirSync(join(folder, 'mnt'));
      places = ['--out', join(open, 'out'), '--cache-dir', join(open, 'cache')];
    });

    /** What doctor says of a recipe, and a build of it, in the same room. */
    function both(room: Room, recipe: string, ...options: string[]): { told: RoomResult; built: RoomResult } {
      const home = mkdtempSync(join(folder, 'open/home-'));
      chmodSync(home, 0o777);
      const run = (verb: string) =>
        room.run([process.execPath, program, verb, recipe, ...places, ...options], {
          NO_COLOR: '1',
          HOME: home,
        });
      return { told: run('doctor'), built: run('build') };
    }

    /** Doctor's lines of a state, without their marks. */
    function linesOf({ stdout }: RoomResult, mark: 'ok' | 'warning' | 'MISSING'): string[] {
      return stdout
        .split('\n')
        .filter((line) => line.startsWith(`${mark} `))
        .map((line) => line.slice(9).replace(/^[a-z ]+: /, ''));
    }

    /** All that is missing, each with what to do: said by both, and nothing was fetched or made. */
    function expectRefused(
      { told, built }: { told: RoomResult; built: RoomResult },
      expected: readonly RegExp[],
    ) {
      const missing = linesOf(told, 'MISSING');
      expect(told.status, told.stderr).toBe(1);
      expect(told.stdout).toMatch(/can not be built here\n$/);
      expect(missing).toEqual(expected.map((form) => expect.stringMatching(form)));
      expect(built.status, built.stdout).toBe(1);
      const hints = told.stdout
        .split('\n')
        .flatMap((line, index, all) => (line.startsWith('MISSING') ? [all[index + 1]?.trim() ?? ''] : []));
      const errors = built.stderr.split('\n').filter((line) => line.includes('error: '));
      expect(errors.map((line) => anyLoop(line.replace('error: ', '')))).toEqual(missing.map(anyLoop));
      for (const hint of hints) expect(built.stderr).toContain(`  ${hint}\n`);
      expect(built.stderr).not.toMatch(/: runs/);
      expect(existsSync(join(folder, 'open/out'))).toBe(false);
      expect(readdirSync(join(folder, 'open')).filter((name) => !/^(cache.*|home-.*)$/.test(name))).toEqual(
        [],
      );
    }

    test('on a machine with Node.js and nothing else', () => {
      const view = [...bareMachine([project, join(program, '../..')]), '--bind', folder, folder];
      const room = new Room(view);
      const { told, built } = both(room, 'debian');
      expectRefused({ told, built }, [
        /^the program mmdebstrap is missing$/,
        /^the program bash is missing$/,
        /^the program make is missing$/,
        /^the program mkfs\.gfs2 is missing$/,
      ]);
      const all = room.run([process.execPath, program, 'doctor']);
      expect(all.status).toBe(0);
      expect(linesOf(all, 'ok').join('\n')).not.toMatch(/^(make|bash|dd|losetup|xz)/m);
      expect(linesOf(all, 'warning')).toContain('there is no /dev/loop-control');
      // What needs no program is built, as it says.
      const sample = both(room, 'sample');
      expect(sample.told.stdout).toContain('sample can be built here\n');
      expect([sample.told.status, sample.built.status], sample.built.stderr).toEqual([0, 0]);
      const again = room.run([process.execPath, program, 'build', 'sample', ...places]);
      expect(again.status).toBe(0);
      room.run([process.execPath, '-e', `require('fs').rmSync('${folder}/open/out', { recursive: true })`]);
    });

    test('where programs are there that do not run', () => {
      const broken = [tool('make'), tool('mkfs.gfs2')];
      const room = new Room(withoutPrograms(broken));
      for (const path of broken) expect(room.run([path, '--version']).status).not.toBe(0);
      expectRefused(both(room, 'debian'), [
        /^the program make is missing: this user may not run /,
        /^the program mkfs\.gfs2 is missing: this user may not run /,
      ]);
    });

    test('in a container without loop devices', () => {
      const recipe = writeSampleExt2(join(folder, 'ext2.yaml'));
      const room = new Room(withoutDevices);
      expect(room.run(['losetup', '--find']).status).not.toBe(0);
      const options = ['--backend', 'host', '--mount-point', join(folder, 'mnt')];
      expectRefused(both(room, recipe, ...options), [/^there is no \/dev\/loop-control$/]);
    });

    test('in a container that has the control of loop devices, but no devices', () => {
      const recipe = writeSampleExt2(join(folder, 'ext2-control.yaml'));
      const control = '/dev/loop-control';
      const room = new Room([...withoutDevices, '--dev-bind', control, control]);
      const options = ['--backend', 'host', '--mount-point', join(folder, 'mnt')];
      expectRefused(both(room, recipe, ...options), [/^\/dev\/loop\d+ is free, but there is no such file$/]);
    });

    test('with a source in CVS and no cvs', () => {
      const recipe = join(folder, 'cvs.yaml');
      writeFileSync(
        recipe,
        `recipe: 1
name: cvs
extends: ${JSON.stringify(join(projectRecipes(), 'sample.yaml'))}
clusterTools:
  installed: null
  source: { cvs: { root: /nowhere, module: cluster-tools, date: 2002-08-22 } }
`,
      );
      const room = new Room(withoutPrograms([tool('cvs')]));
      expectRefused(both(room, recipe), [/^the program cvs is missing/]);
    });

    test('where a disk has too little room', () => {
      const disk = join(folder, 'open/cache');
      mkdirSync(disk, { recursive: true });
      const room = new Room([...withSmallDisk(disk, 100 * 1024 * 1024)]);
      expectRefused(both(room, 'debian'), [
        /no space left on the device: at least 200 MiB are needed for the cache, (99|100) MiB are free$/,
      ]);
    });

    describe('as an ordinary user', () => {
      const user = ['setpriv', '--reuid=65533', '--regid=65533', '--clear-groups'];

      test('without a range of users', () => {
        const room = new Room(['--dev-bind', '/', '/'], user);
        // Root's builds before have made the cache: this user has one of its own.
        const own = ['--cache-dir', join(folder, 'open/cache-of-a-user')];
        const { told, built } = both(room, 'debian', ...own);
        expect(room.run(['unshare', '--user', '--map-root-user', 'true']).status).toBe(0);
        expect(room.run(['unshare', '--map-root-user', '--map-auto', 'true']).status).not.toBe(0);
        expectRefused({ told, built }, [/^\/etc\/subuid has no range for /]);
      });

      test('who may not write where everything goes', () => {
        const closed = join(folder, 'closed');
        mkdirSync(closed, { mode: 0o755 });
        const room = new Room(['--dev-bind', '/', '/'], user);
        places = ['--out', join(closed, 'out'), '--cache-dir', join(closed, 'cache')];
        try {
          expectRefused(both(room, 'sample'), [
            /^this user can not write in .*\/closed: the cache would go there$/,
            /^this user can not write in .*\/closed: the outputs would go there$/,
          ]);
        } finally {
          const open = join(folder, 'open');
          places = ['--out', join(open, 'out'), '--cache-dir', join(open, 'cache')];
        }
      });

      test('in a place that allows no user namespaces', () => {
        // The limit is that of a namespace of its own: the host keeps its.
        const limit = 'echo 0 >/proc/sys/user/max_user_namespaces; shift 0; exec "$@"';
        const room = new Room(
          ['--dev-bind', '/', '/'],
          [
            'unshare',
            '--user',
            '--map-root-user',
            '--mount',
            'sh',
            '-c',
            limit,
            'sh',
            'setpriv',
            '--inh-caps=-all',
            '--bounding-set=-all',
          ],
        );
        expect(room.run(['unshare', '--user', 'true']).status).not.toBe(0);
        const { told } = both(room, 'sample');
        expect(linesOf(told, 'warning')).toContain('this user may not make user namespaces');
      });
    });

    test('as root of a user namespace, who mounts no disks', () => {
      const recipe = writeSampleExt2(join(folder, 'ext2-namespace.yaml'));
      const room = new Room(['--dev-bind', '/', '/'], ['unshare', '--user', '--map-root-user', '--mount']);
      expect(readFileSync('/proc/filesystems', 'utf8')).toMatch(/\text2\n/);
      const { told, built } = both(room, recipe, '--backend', 'host', '--mount-point', join(folder, 'mnt'));
      expect(linesOf(told, 'MISSING')).toContain('this is root of a user namespace, which mounts no disks');
      expect(built.stderr).toContain('error: this is root of a user namespace, which mounts no disks\n');
      expect([told.status, built.status]).toEqual([1, 1]);
    });
  },
);
