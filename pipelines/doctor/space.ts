import { accessSync, constants, existsSync, statfsSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { type Finding, missing, ok } from './finding.js';

/** Folders that a build writes to; they need not be there yet. */
export interface Places {
  readonly cache: string;
  readonly outputs: string;
}

/** Room that is wanted in a folder. */
interface WantedSpace {
  readonly what: keyof typeof NAMES;
  readonly folder: string;
  /** At least. */
  readonly bytes: number;
}

const KIB = 1024;
const MIB = 1024 * KIB;
/** A disk with less is full for any purpose. */
const LEAST_BYTES = 64 * KIB;

const NAMES = { cache: 'the cache', outputs: 'the outputs', temporary: 'temporary files' } as const;
const OPTIONS = { cache: '--cache-dir', outputs: '--out', temporary: 'TMPDIR' } as const;

/** Whether there is room for all that is certainly written: one finding for each disk, as some share one. */
export function spaceFindings(wanted: readonly WantedSpace[]): Finding[] {
  const disks = new Map<number, WantedSpace[]>();
  const findings: Finding[] = [];
  for (const each of wanted) {
    const there = existing(each.folder);
    const fault = writingFault(there);
    if (fault !== undefined) {
      findings.push(lacksPlace(each.what, fault));
      continue;
    }
    const { dev } = statSync(there);
    disks.set(dev, [...(disks.get(dev) ?? []), each]);
  }
  return [...findings, ...[...disks.values()].map(diskFinding)];
}

function diskFinding(wanted: readonly WantedSpace[]): Finding {
  const file = wanted[0]?.folder ?? '/';
  const bytes = wanted.reduce((sum, each) => sum + Math.max(each.bytes, LEAST_BYTES), 0);
  const free = freeBytes(existing(file));
  const text = `at least ${amount(bytes)} are needed for ${wanted.map(({ what }) => NAMES[what]).join(' and ')}, ${amount(free)} are free`;
  if (free >= bytes) return { ...ok('disk', text), file };
  const options = wanted.map(({ what }) => OPTIONS[what]).join(' or ');
  return {
    ...missing(
      'disk',
      `no space left on the device: ${text}`,
      `Free some space there, or choose another folder with ${options}.`,
    ),
    file,
  };
}

/** Folders in which this user can not write, though any build has to. */
export function placeFindings(places: Places): Finding[] {
  return (['cache', 'outputs'] as const).flatMap((what) => {
    const fault = writingFault(existing(places[what]));
    return fault === undefined ? [] : [lacksPlace(what, fault)];
  });
}

function lacksPlace(what: keyof typeof NAMES, fault: string): Finding {
  return missing(
    'disk',
    `${fault}: ${NAMES[what]} would go there`,
    `Choose another folder with ${OPTIONS[what]}.`,
  );
}

/** Why nothing can be written in a folder that is there; undefined when it can. */
export function writingFault(folder: string): string | undefined {
  try {
    accessSync(folder, constants.W_OK | constants.X_OK);
    return undefined;
  } catch {
    return `this user can not write in ${folder}`;
  }
}

/** The folder itself, or the nearest above it that is there. */
export function existing(folder: string): string {
  return existsSync(folder) || dirname(folder) === folder ? folder : existing(dirname(folder));
}

/** What this user may still write there. */
export function freeBytes(folder: string): number {
  const { bavail, bsize } = statfsSync(folder);
  return bavail * bsize;
}

export function mebibytes(bytes: number): string {
  return `${Math.floor(bytes / MIB)} MiB`;
}

function amount(bytes: number): string {
  return bytes < MIB ? `${Math.floor(bytes / KIB)} KiB` : mebibytes(bytes);
}
