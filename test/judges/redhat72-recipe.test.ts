import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { Pace } from '../../images/bytes/pace.js';
import type { Tree } from '../../images/tree/tree.js';
import type { ReportLine } from '../../pipelines/configure/report.js';
import { openTree } from '../../pipelines/open-image.js';
import { expectOutputs, manifestIn } from '../support/build-outputs.js';
import { DEBIAN_ROOT_TOOLS, debianRoot } from '../support/debian-root.js';
import { HOWTO_TOOLS, SAMPLE_TOOLS, withHowtoRoot } from '../support/howto-root.js';
import { expectAccepted, JUDGE_TOOLS } from '../support/judge-opengfs.js';
import { loopMountFault, withLoopMount } from '../support/loop-mount.js';
import { ssiImageOutput } from '../support/ssi-image.js';
import { temporaryFolder } from '../support/temporary.js';
import { describeUnless, describeWith, findTool, run } from '../support/tools.js';
import { differencesOf } from '../support/tree-of.js';

const folder = temporaryFolder();
const GIB = 1024 ** 3;

/** The thirteen files that HOWTO 5.6 removes. */
const SERVICES = [
  ...['S25netfs', 'S50snmpd', 'S55named', 'S55sshd', 'S56xinetd', 'S80sendmail', 'S85gpm'],
  ...['S85httpd', 'S90crond', 'S90squid', 'S90xfs', 'S91smb', 'S95innd'],
];

/** The Debian root with Red Hat's start links, packed as the HOWTO's base is. */
async function redhatBase(): Promise<string> {
  const image = join(folder, 'redhat.ext2');
  const mountPoint = join(folder, 'redhat');
  const script = fileURLToPath(new URL('../fixtures/redhat-layout.sh', import.meta.url));
  run('cp', ['--sparse=always', '--', debianRoot().ext2, image]);
  await withLoopMount(image, mountPoint, async () => void run('sh', [script, mountPoint]), 'rw');
  run('sh', ['-c', '"$1" -c < "$2" > "$2.bz2"', 'sh', findTool('lbzip2') ?? 'bzip2', image]);
  rmSync(image);
  return `${image}.bz2`;
}

/** Builds the recipe as it is, but for where its two downloads come from. */
function buildRedhat72(base: string, out: string, env: NodeJS.ProcessEnv = {}): void {
  const settings = { 'base.image': base, 'clusterTools.source': SAMPLE_TOOLS };
  ssiImageOutput(
    [
      ...['build', 'redhat72', '--out', out, '--cache-dir', join(folder, 'cache'), '--offline'],
      ...Object.entries(settings).flatMap(([key, value]) => ['--set', `${key}=${value}`]),
    ],
    { env },
  );
  rmSync(join(folder, 'cache'), { recursive: true });
}

async function expectSameRoot(image: string, expected: Tree): Promise<void> {
  const { tree, close } = await openTree(image, { pace: new Pace() });
  expect((await differencesOf(expected, tree)).slice(0, 20)).toEqual([]);
  expect([...expected.entries()].length).toBeGreaterThan(12_000);
  close();
}

function startLinksIn(out: string): Record<string, string> {
  const report = manifestIn(out).stages.find(({ name }) => name === 'configure')?.facts;
  const lines = report as unknown as readonly ReportLine[];
  return Object.fromEntries(
    lines.filter(({ step }) => step === 'remove-services').map(({ path, outcome }) => [path, outcome]),
  );
}

describeUnless(loopMountFault(), "the recipe redhat72 and the HOWTO's commands", () => {
  describeWith([...DEBIAN_ROOT_TOOLS, ...HOWTO_TOOLS, ...JUDGE_TOOLS], 'leave the same root', () => {
    test("of a base with Red Hat's start links, and every judge takes it", async () => {
      const base = await redhatBase();
      const out = join(folder, 'out');
      buildRedhat72(base, out);
      expectOutputs(out, { nodes: 15, rootSize: 2 * GIB });
      expect(startLinksIn(out)).toEqual(
        Object.fromEntries(SERVICES.map((link) => [`/etc/rc.d/rc3.d/${link}`, 'removed'])),
      );
      const howto = { base, folder: join(folder, 'howto'), rule: 'install_ssi_redhat', epoch: 0 };
      const image = join(out, 'root_fs');
      await withHowtoRoot(howto, async (expected) => {
        for (const link of ['S05kudzu', ...SERVICES])
          expect(expected.get(`/etc/rc.d/rc3.d/${link}`)).toBeUndefined();
        for (const link of ['S10network', 'S60lpd', 'S99local'])
          expect(expected.get(`/etc/rc.d/rc3.d/${link}`)?.type).toBe('symlink');
        await expectSameRoot(image, expected);
        await expectAccepted({ image, tree: expected, scratch: folder });
      });
      for (const path of [base, out]) rmSync(path, { recursive: true });
    });

    test('of a plain Debian base, where nothing is to be removed', async () => {
      const base = debianRoot().bz2;
      // The base is one stream of bzip2, as the HOWTO's: several could be told by their headers.
      const header = Buffer.from('BZh91AY&SY');
      const packed = readFileSync(base);
      expect([packed.indexOf(header), packed.indexOf(header, 1)]).toEqual([0, -1]);
      const out = join(folder, 'out');
      buildRedhat72(base, out);
      expectOutputs(out, { nodes: 15, rootSize: 2 * GIB });
      expect(startLinksIn(out)).toEqual(
        Object.fromEntries(SERVICES.map((link) => [`/etc/rc.d/rc3.d/${link}`, 'not there'])),
      );
      const howto = { base, folder: join(folder, 'howto'), rule: 'install_ssi_redhat', epoch: 0 };
      await withHowtoRoot(howto, (expected) => expectSameRoot(join(out, 'root_fs'), expected));
      rmSync(out, { recursive: true });
    });
  });
});
