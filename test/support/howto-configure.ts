import { statSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { Pace } from '../../images/bytes/pace.js';
import { DiagnosticError } from '../../images/diagnostic.js';
import type { Difference } from '../../images/tree/diff.js';
import { treeOfDirectory } from '../../images/tree/from-directory.js';
import type { Timestamp, TreeNode } from '../../images/tree/node.js';
import type { Tree } from '../../images/tree/tree.js';
import { configureRoot } from '../../pipelines/configure/configure-root.js';
import { installModules, subtreeOf } from '../../pipelines/configure/modules.js';
import type { ReportLine } from '../../pipelines/configure/report.js';
import { openTree } from '../../pipelines/open-image.js';
import type { ConfigureSettings, Distribution } from '../../pipelines/recipe/recipe.js';
import { withLoopMount } from './loop-mount.js';
import { run } from './tools.js';
import { differencesOf } from './tree-of.js';

/** The time our edits use; no file of an image that is compared may have it. */
const EPOCH = 86_400;

export interface HowtoOptions {
  /** A folder for copies of the image, which is as large as twice what is in it. */
  readonly folder: string;
  readonly distribution?: Distribution;
  /** An old root image to take modules from (HOWTO 5.5), and the folder in it. */
  readonly modules?: { readonly image: string; readonly path: string };
  /** sed commands that change the inittab, instead of those for an inittab with a line for each of tty0 and tty1. */
  readonly inittabCommands?: string;
}

export interface Comparison {
  /** What differs between the root as the HOWTO's commands make it and ours, times aside. */
  readonly differences: readonly Difference[];
  /** Times that are neither both of the edit nor the same. */
  readonly times: readonly string[];
  /** Paths that the commands changed, made or removed. */
  readonly touched: readonly string[];
  readonly report: readonly ReportLine[];
  /** Number of names that were compared. */
  readonly names: number;
}

/** Whatever the markers' lines look like: from a marker to the next blank line. */
const INITTAB_COMMANDS = String.raw`
/for uml/I,/^[[:space:]]*$/ {
  /^[^#].*dhcp/ s/^/#/
  /^[^#].*getty.*tty1\b/ s/^/#/
  /^#[^:[:space:]]*:[^:]*:[^:]*:.*getty.*tty0\b/ s/^#//
}`;

/**
 * Does what sections 5.5 and 5.6 of the HOWTO say with the ordinary commands, as root, on a loop-mounted copy of an
 * ext2 image, and compares every file with what `installModules` and `configureRoot` make of the image. Of `settings`
 * it takes `ubd`, `inittab`, `removeServices`, `remove` and `files` that come from the host and add something new.
 */
export async function compareWithHowto(
  image: string,
  settings: ConfigureSettings,
  options: HowtoOptions,
): Promise<Comparison> {
  const { folder, modules } = options;
  const copy = join(folder, 'howto.ext2');
  const started = Math.floor(Date.now() / 1000);
  run('cp', ['--sparse=always', '--', image, copy]);
  await doAsTheHowto(copy, settings, options);
  const pace = new Pace();
  const opened = await Promise.all(
    [image, copy, ...(modules === undefined ? [] : [modules.image])].map((path) => openTree(path, { pace })),
  );
  const [before, howto, old] = opened.map(({ tree }) => tree);
  if (before === undefined || howto === undefined) throw new Error('no image');
  try {
    const report: ReportLine[] = [];
    let ours = before;
    if (modules !== undefined && old !== undefined) {
      const options = { epoch: EPOCH, fromHost: false };
      const installed = installModules(ours, subtreeOf(old, modules.path), options);
      report.push(...installed.report);
      ours = installed.tree;
    }
    const configured = configureRoot(ours, settings, {
      epoch: EPOCH,
      distribution: options.distribution ?? 'redhat',
      nodes: [],
      sources: await sourcesOf(settings, pace),
      faultAt: (path, message) =>
        new DiagnosticError({ kind: 'recipe', message: `${path.join('.')}: ${message}` }),
    });
    report.push(...configured.report);
    const differences = (await differencesOf(howto, configured.tree)).map(withoutTimes).filter(isDifferent);
    return {
      differences,
      times: timesOf({ before, howto, ours: configured.tree, started, report }),
      touched: (await differencesOf(before, howto)).map(({ path }) => path),
      report,
      names: [...howto.entries()].length,
    };
  } finally {
    for (const each of opened) each.close();
  }
}

function withoutTimes(difference: Difference): Difference {
  const { mtime, mtimeNanoseconds, ...fields } = difference.fields ?? {};
  return { ...difference, fields };
}

function isDifferent({ kind, fields }: Difference): boolean {
  return kind !== 'changed' || Object.keys(fields ?? {}).length > 0;
}

async function sourcesOf(settings: ConfigureSettings, pace: Pace): Promise<Map<string, TreeNode>> {
  const sources = new Map<string, TreeNode>();
  for (const file of settings.files) {
    if (!('source' in file)) continue;
    const { location } = file.source;
    const isDirectory = statSync(location).isDirectory();
    const { root } = await treeOfDirectory(isDirectory ? location : dirname(location), pace);
    const node = isDirectory ? root : root.entries.get(basename(location));
    if (node !== undefined) sources.set(location, node);
  }
  return sources;
}

async function doAsTheHowto(copy: string, settings: ConfigureSettings, options: HowtoOptions): Promise<void> {
  const root = join(options.folder, 'root');
  const script = join(options.folder, 'howto.sh');
  const commands = commandsOf(settings, options);
  writeFileSync(script, commands);
  const work = async (): Promise<void> => {
    run('sh', [script], { env: { MNT: root, OLD: join(options.folder, 'old') } });
  };
  const { modules } = options;
  await withLoopMount(
    copy,
    root,
    modules === undefined ? work : () => withLoopMount(modules.image, join(options.folder, 'old'), work),
    'rw',
  );
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

/** Versions that are in both are replaced: cp alone would mix them. */
function copyModules(path: string): string {
  return `
mkdir -p lib/modules
for each in "$OLD"${quoted(path)}/*; do
  rm -rf "lib/modules/\${each##*/}"
  cp -a "$each" lib/modules/
done`;
}

/** Makes a device anew, with the owner and mode that it had, or those of other disks. */
const REMAKE = `
disk=$(sed -n 's/^disk:[^:]*:\\([0-9]*\\):.*/\\1/p' etc/group)
remake() {
  owner=0:\${disk:-0} mode=660
  if [ -b "$1" ]; then owner=$(stat -c %u:%g "$1") mode=$(stat -c %a "$1"); rm "$1"; fi
  mknod "$1" b 98 "$2"; chown "$owner" "$1"; chmod "$mode" "$1"
}`;

/** The commands, for a root at `$MNT` and an old root at `$OLD`. */
function commandsOf(settings: ConfigureSettings, { modules, inittabCommands }: HowtoOptions): string {
  const lines = ['set -eu', 'umask 022', 'cd "$MNT"'];
  if (modules !== undefined) lines.push(copyModules(modules.path));
  for (const name of settings.removeServices)
    lines.push(`rm -f .${quoted(`${settings.rcDirectory}/${name}`)}`);
  for (const path of settings.remove) lines.push(`rm -rf .${quoted(path)}`);
  if (settings.ubd !== undefined) {
    const { devices, minorStep } = settings.ubd;
    lines.push(REMAKE, 'mkdir -p dev/ubd');
    for (let number = 0; number < devices; number++) {
      lines.push(`remake dev/ubd/${number} ${number * minorStep}`);
      lines.push(`if [ -b dev/ubd${number} ]; then remake dev/ubd${number} ${number * minorStep}; fi`);
    }
  }
  for (const file of settings.files) {
    if (!('source' in file)) throw new Error('a text is no command of the HOWTO');
    const to = `.${quoted(file.to)}`;
    lines.push(`mkdir -p .${quoted(dirname(file.to))}`, `[ ! -e ${to} ]`);
    lines.push(`cp -a ${quoted(file.source.location)} ${to}`, `chown -hR ${file.uid}:${file.gid} ${to}`);
    if (file.mode !== undefined) lines.push(`chmod ${file.mode.toString(8)} ${to}`);
  }
  if (settings.inittab !== undefined) {
    lines.push(`sed -i ${quoted(inittabCommands ?? INITTAB_COMMANDS)} .${quoted(settings.inittab.source)}`);
  }
  return `${lines.join('\n')}\n`;
}

interface Times {
  readonly before: Tree;
  readonly howto: Tree;
  readonly ours: Tree;
  /** When the commands began, in seconds since 1970. */
  readonly started: number;
  readonly report: readonly ReportLine[];
}

/** A path's time must be ours where the commands left the day's, and as it was where they left it. */
function timesOf({ before, howto, ours, started, report }: Times): string[] {
  const done = new Set(report.filter(({ outcome }) => outcome === 'already done').map(({ path }) => path));
  const faults: string[] = [];
  for (const { path, node } of howto.entries()) {
    const time = ours.get(path)?.mtime;
    if (time === undefined) continue;
    const was = before.get(path)?.mtime;
    const isOfEdit = time.seconds === EPOCH && time.nanoseconds === 0;
    // What cp -a brought keeps its time; of the host's files we keep none.
    const isCopied = was === undefined && node.mtime.seconds < started;
    const wanted =
      node.mtime.seconds >= started
        ? isOfEdit || (done.has(path) && same(time, was))
        : same(time, node.mtime) || (isCopied && isOfEdit);
    if (!wanted) faults.push(`${path}: ${time.seconds}, by the commands ${node.mtime.seconds}`);
  }
  return faults;
}

function same(a: Timestamp, b: Timestamp | undefined): boolean {
  return a.seconds === b?.seconds && a.nanoseconds === b.nanoseconds;
}
