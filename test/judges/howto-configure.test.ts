import { linkSync, mkdirSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect } from 'vitest';
import type { ConfigureSettings } from '../../pipelines/recipe/recipe.js';
import { compareWithHowto } from '../support/howto-configure.js';
import { loopMountFault } from '../support/loop-mount.js';
import { temporaryFolder } from '../support/temporary.js';
import { describeUnless, run, testWith } from '../support/tools.js';

const folder = temporaryFolder();

/** The thirteen start links that the HOWTO removes. */
const SERVICES = [
  ...['S25netfs', 'S50snmpd', 'S55named', 'S55sshd', 'S56xinetd', 'S80sendmail', 'S85gpm'],
  ...['S85httpd', 'S90crond', 'S90squid', 'S90xfs', 'S91smb', 'S95innd'],
];

const INITTAB = `\
# inittab of the cluster's init
id:3:initdefault:
si::sysinit:/etc/rc.d/rc.sysinit
l3:3:wait:/etc/rc.d/rc 3

# DHCP daemon for diskless nodes. For UML, comment the next line out.
dh:2345:respawn:/usr/sbin/dhcpd -f

# Run gettys in standard runlevels
# For UML, comment out the line with tty1 and uncomment the one with tty0
1:2345:respawn:/sbin/mingetty tty1
#1:2345:respawn:/sbin/mingetty tty0
2:2345:respawn:/sbin/mingetty tty2

# DHCP on another interface
#dj:2345:respawn:/usr/sbin/dhcpd -f eth2
`;

function write(root: string, path: string, content: string): void {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), content);
}

/** A root of Red Hat's layout with what the commands of HOWTO 5.5 and 5.6 change. */
function makeRoot(work: string, layout: { rc: string; ubd: boolean }): string {
  const root = join(work, 'base');
  write(root, 'etc/group', 'root:x:0:\ndisk:x:6:root\nusers:x:100:\n');
  write(root, 'etc/inittab', INITTAB);
  // Further names of one file, of which only one is edited.
  linkSync(join(root, 'etc/inittab'), join(root, 'etc/inittab.ssi'));
  for (const link of [...SERVICES, 'S10network', 'S12syslog']) {
    write(root, `etc/rc.d/init.d/${link.slice(3)}`, `#!/bin/sh\necho ${link}\n`);
    mkdirSync(join(root, layout.rc, 'rc3.d'), { recursive: true });
    symlinkSync(`/etc/rc.d/init.d/${link.slice(3)}`, join(root, layout.rc, 'rc3.d', link));
  }
  if (layout.rc === 'etc/rc.d') symlinkSync('rc.d/rc3.d', join(root, 'etc/rc3.d'));
  write(root, 'lib/modules/2.4.7-10/modules.dep', 'of the distribution\n');
  write(root, 'lib/modules/2.4.16-21um/kernel/stale.o', 'of an older build\n');
  write(root, 'usr/share/doc/x/README', 'to be removed\n');
  mkdirSync(join(root, 'dev'));
  if (layout.ubd) {
    mkdirSync(join(root, 'dev/ubd'));
    for (const number of ['0', '1', '2'])
      run('mknod', ['-m', '600', join(root, 'dev/ubd', number), 'b', '98', number]);
    run('mknod', ['-m', '640', join(root, 'dev/ubd1'), 'b', '98', '1']);
    run('chown', ['12:34', join(root, 'dev/ubd/1')]);
  }
  run('mknod', [join(root, 'dev/console'), 'c', '5', '1']);
  return imageOf(root);
}

/** An ext2 image of a folder in which everything is of the year 2002. */
function imageOf(root: string): string {
  run('find', [root, '-exec', 'touch', '-h', '-d', '2002-05-29T00:00:00Z', '{}', '+']);
  run('mke2fs', ['-q', '-F', '-t', 'ext2', '-d', root, `${root}.ext2`, '32M'], {
    env: { E2FSPROGS_FAKE_TIME: '1022630400' },
  });
  return `${root}.ext2`;
}

function makeOldRoot(work: string): string {
  const root = join(work, 'old-root');
  for (const [name, size] of [
    ['gfs.o', 70_000],
    ['pool.o', 4096],
    ['empty.o', 0],
  ] as const) {
    write(root, `lib/modules/2.4.16-21um/kernel/fs/${name}`, 'm'.repeat(size));
  }
  const modules = join(root, 'lib/modules');
  write(root, 'lib/modules/2.4.16-21um/modules.dep', 'kernel/fs/gfs.o: kernel/fs/pool.o\n');
  symlinkSync('/usr/src/linux-ssi', join(modules, '2.4.16-21um/build'));
  linkSync(join(modules, '2.4.16-21um/kernel/fs/gfs.o'), join(modules, '2.4.16-21um/gfs.o'));
  run('chown', ['-R', '500:100', join(modules, '2.4.16-21um/kernel')]);
  return imageOf(root);
}

function makeDemo(work: string): string {
  const demo = join(work, 'dbdemo');
  write(demo, 'alphabet', 'alfa\nbravo\ncharlie\n');
  write(demo, 'dbdemo', '#!/bin/sh\ncat alphabet\n');
  write(demo, 'deep/er/file', 'x');
  run('chmod', ['0750', join(demo, 'dbdemo'), join(demo, 'deep')]);
  run('mknod', [join(demo, 'deep/pipe'), 'p']);
  symlinkSync('alphabet', join(demo, 'link'));
  linkSync(join(demo, 'alphabet'), join(demo, 'deep/alphabet'));
  utimesSync(join(demo, 'alphabet'), 1_022_630_400, 1_022_630_400);
  run('chown', ['-hR', '1000:1000', demo]);
  return demo;
}

describeUnless(loopMountFault(), 'the commands of HOWTO 5.5 and 5.6 on a mounted image', () => {
  const cases = [
    ['with ubd devices of the old numbering', { rc: 'etc/rc.d', ubd: true }, 16],
    ['with none, runlevels in /etc', { rc: 'etc', ubd: false }, 1],
  ] as const;
  for (const [name, layout, minorStep] of cases) {
    testWith(['mke2fs', 'losetup'], `leave the same files as our edits: a root ${name}`, async () => {
      const work = join(folder, `work-${minorStep}`);
      mkdirSync(work);
      const at = ['configure', 'files', 0];
      const demo = makeDemo(work);
      const settings: ConfigureSettings = {
        ubd: { devices: 8, minorStep },
        inittab: { source: '/etc/inittab.ssi', dhcpd: false, getty: 'tty0' },
        rcDirectory: layout.rc === 'etc' ? '/etc' : '/etc/rc.d',
        removeServices: [...SERVICES.map((link) => `rc3.d/${link}`), 'rc3.d/S99none'],
        remove: ['/usr/share/doc', '/not/there'],
        files: [
          { to: '/root/dbdemo', uid: 0, gid: 0, at, source: { location: demo, mirrors: [], at } },
          {
            ...{ to: '/usr/local/bin/demo', uid: 3, gid: 4, mode: 0o751, at },
            source: { location: join(demo, 'dbdemo'), mirrors: [], at },
          },
        ],
        network: { patch: false, hosts: false },
      };
      const result = await compareWithHowto(makeRoot(work, layout), settings, {
        folder: work,
        modules: { image: makeOldRoot(work), path: '/lib/modules' },
      });
      expect(result.differences).toEqual([]);
      expect(result.times).toEqual([]);
      expect(result.names).toBeGreaterThan(60);
      // The commands did something: without them nothing would differ either.
      for (const path of ['/etc/inittab.ssi', '/dev/ubd/7', '/root/dbdemo/alphabet', '/usr/share/doc'])
        expect(result.touched).toContain(path);
      for (const link of SERVICES) {
        expect(result.touched.some((path) => path.endsWith(`/rc3.d/${link}`))).toBe(true);
      }
      const outcomes = result.report.map(({ step, outcome }) => `${step}: ${outcome}`);
      expect(outcomes.filter((outcome) => outcome === 'remove-services: removed')).toHaveLength(13);
      expect(outcomes).toContain('remove-services: not there');
      expect(outcomes.filter((outcome) => outcome.startsWith('inittab: '))).toHaveLength(3);
    });
  }
});
