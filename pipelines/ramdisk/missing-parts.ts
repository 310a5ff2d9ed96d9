import { DiagnosticError, printable } from '../../images/diagnostic.js';
import type { MissingModule } from './kernel-modules.js';
import type { MissingFile } from './shared-libraries.js';

/** What a ramdisk is made of and the root has not. */
export interface MissingPart {
  /** One line: what it is. */
  readonly text: string;
  /** The Debian package that brings it, where one does. */
  readonly package?: string;
}

/** Debian packages of the programs that ramdisks need, by the last part of their names. */
const packages: Readonly<Record<string, string>> = {
  busybox: 'busybox-static',
  corosync: 'corosync',
  'corosync-quorumtool': 'corosync',
  'corosync-cfgtool': 'corosync',
  dlm_controld: 'dlm-controld',
  dlm_tool: 'dlm-controld',
};

export function missingFile({ kind, name, neededBy, reason }: MissingFile): MissingPart {
  const because = neededBy === undefined ? '' : `, which ${neededBy} needs`;
  const text = `the ${kind} ${name}${because}${reason === undefined ? '' : ` (${reason})`}`;
  const debian = kind === 'program' ? packages[name.slice(name.lastIndexOf('/') + 1)] : undefined;
  return { text, ...(debian === undefined ? {} : { package: debian }) };
}

/** `debian` is the package that the kernel's modules come from. */
export function missingModule({ name, neededBy, nearest }: MissingModule, debian?: string): MissingPart {
  const because = neededBy === undefined ? '' : `, which ${neededBy} needs`;
  const meant = nearest === undefined ? '' : ` (did you mean ${nearest}?)`;
  return {
    text: `the kernel module ${name}${because}${meant}`,
    ...(debian === undefined ? {} : { package: debian }),
  };
}

/** Throws a DiagnosticError with the whole list, and what to install, unless the list is empty. */
export function throwIfMissing(ramdisk: string, parts: readonly MissingPart[], otherwise: string): void {
  if (parts.length === 0) return;
  const debian = [...new Set(parts.flatMap((part) => part.package ?? []))].sort();
  throw new DiagnosticError({
    kind: 'image',
    message: `the root lacks ${parts.length} ${parts.length === 1 ? 'thing' : 'things'} that ${ramdisk} is made of`,
    excerpt: parts.map(({ text }) => printable(text)),
    hint:
      debian.length === 0
        ? otherwise
        : `Add to the base the Debian package${debian.length === 1 ? '' : 's'} ${debian.join(', ')}.`,
  });
}
