import { tmpdir } from 'node:os';
import { FileSource } from '../../images/bytes/byte-source.js';
import { DiagnosticError, printable } from '../../images/diagnostic.js';
import { treeOfTar } from '../../images/tar/reader.js';
import { runProgram } from '../cluster-tools/run-program.js';
import { packagesOf } from '../debian-packages.js';
import type { Stage, StageContext, StageInput } from '../engine/stage.js';
import { PROGRAM_FOLDERS, requireProgram } from '../program-folders.js';
import type { MmdebstrapSettings } from '../recipe/recipe.js';

/** mmdebstrap needs minutes, hours only where something hangs. */
const TIME_LIMIT_SECONDS = 3600;
/** mmdebstrap copies these from the host, so that packages can be installed: nothing of it goes into the image. */
const FORGET_HOST = '--customize-hook=rm -f "$1/etc/hostname" "$1/etc/resolv.conf"';
/** The smallest root takes so much: unpacked in the folder for temporary files, and as a tar in the cache. */
const LEAST_BYTES = 200 * 1024 * 1024;
/** Last lines of its output that an error shows. */
const SHOWN_LINES = 12;

/**
 * Makes a Debian root with mmdebstrap, as a tar that is read in place: as root, or as an ordinary user in a user
 * namespace. What it installed is recorded.
 */
export function baseDebootstrapStage(
  settings: MmdebstrapSettings,
  release: StageInput,
  epoch: number,
): Stage {
  const { suite, variant, include, exclude, components, mirror } = settings;
  return {
    name: 'base-debootstrap',
    title: `Install Debian ${suite} (mmdebstrap)`,
    module: import.meta.url,
    parameters: {
      suite,
      variant,
      include,
      exclude,
      components,
      mirror,
      epoch,
    },
    inputs: { release },
    tools: [{ program: 'mmdebstrap', package: 'mmdebstrap', versionArguments: ['--version'] }],
    needs: [
      { kind: 'program', program: 'bash', package: 'bash' },
      { kind: 'user range' },
      { kind: 'space', where: 'temporary', bytes: LEAST_BYTES },
      { kind: 'space', where: 'cache', bytes: LEAST_BYTES },
    ],
    artifacts: ['file'],
    keeping: 'stored',
    run: async (context) => {
      const tar = context.outputPath('file');
      await runMmdebstrap(settings, tar, epoch, context);
      const source = new FileSource(tar);
      try {
        const packages = packagesOf(await treeOfTar(source, context.pace));
        return {
          artifacts: { file: { kind: 'file', path: tar } },
          facts: { packages: packages.map(({ name, version }) => ({ name, version })) },
        };
      } finally {
        source.close();
      }
    },
  };
}

async function runMmdebstrap(
  settings: MmdebstrapSettings,
  tar: string,
  epoch: number,
  context: StageContext,
): Promise<void> {
  const program = requireProgram('mmdebstrap');
  const isRoot = process.getuid?.() === 0;
  const log = new LastLines(context);
  const end = await runProgram(
    [
      program,
      `--mode=${isRoot ? 'root' : 'unshare'}`,
      `--variant=${settings.variant}`,
      `--components=${settings.components.join(',')}`,
      '--format=tar',
      FORGET_HOST,
      ...settings.include.map((name) => `--include=${name}`),
      ...settings.exclude.map((path) => `--dpkgopt=path-exclude=${path}`),
      settings.suite,
      tar,
      settings.mirror,
    ],
    {
      cwd: '/',
      environment: {
        PATH: PROGRAM_FOLDERS.join(':'),
        HOME: process.env.HOME ?? '/',
        // In its namespace it is another user, which could not enter the cache.
        TMPDIR: tmpdir(),
        LC_ALL: 'C',
        TZ: 'UTC',
        SOURCE_DATE_EPOCH: String(epoch),
        DEBIAN_FRONTEND: 'noninteractive',
      },
      timeLimit: TIME_LIMIT_SECONDS,
      signal: context.signal,
      onOutput: (chunk) => log.add(chunk),
    },
  );
  if (end.kind === 'exit' && end.code === 0) return;
  throw failure(settings, end.kind === 'exit' ? `exit code ${end.code}` : end.kind, log.lines, isRoot);
}

/** Shows what it prints, and remembers the end of it. */
class LastLines {
  readonly lines: string[] = [];
  private rest = '';

  constructor(private readonly context: StageContext) {}

  add(chunk: Buffer): void {
    const parts = (this.rest + chunk.toString('utf8')).split(/\r?\n|\r/);
    this.rest = (parts.pop() ?? '').slice(-4096);
    for (const line of parts) {
      if (line.trim() === '') continue;
      this.lines.push(printable(line).slice(0, 300));
      if (this.lines.length > SHOWN_LINES) this.lines.shift();
      this.context.output(line);
    }
  }
}

function failure(settings: MmdebstrapSettings, how: string, lines: readonly string[], isRoot: boolean) {
  const text = lines.join('\n');
  const message = `mmdebstrap could not make a ${settings.suite} root (${how})`;
  const error = (hint: string) => new DiagnosticError({ kind: 'host', message, hint, excerpt: lines });
  if (/Unable to locate package|has no installation candidate|Version .* was not found/.test(text)) {
    return error('A package of base.mmdebstrap.include is not in the archive: see the lines above.');
  }
  if (!isRoot && /unshare|newuidmap|subuid|user namespace|uid map|Operation not permitted/i.test(text)) {
    return error(
      'As an ordinary user it needs user namespaces: install uidmap, give yourself a range in /etc/subuid and /etc/subgid, and allow them (sysctl kernel.unprivileged_userns_clone=1, on Ubuntu kernel.apparmor_restrict_unprivileged_userns=0). Or run it as root.',
    );
  }
  if (/Could not resolve|Failed to fetch|Connection (timed out|refused)|Temporary failure/.test(text)) {
    return error(
      `The mirror ${settings.mirror} can not be reached: try again, or name another (base.mmdebstrap.mirror).`,
    );
  }
  return error('Its last lines are shown above.');
}
