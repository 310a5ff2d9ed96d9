import { type ByteString, byteStringFromText, textFromByteString } from '../../images/bytes/byte-string.js';
import { DiagnosticError, imageError, printable } from '../../images/diagnostic.js';
import { nearestWord } from '../../images/suggestion.js';
import type { InittabSettings } from '../recipe/recipe.js';
import type { ConfigureContext } from './context.js';
import { commentedOut, type InittabLine, inittabLines, uncommented } from './inittab-lines.js';
import { faultOfPath, type Place, reasonOf } from './place.js';
import type { RootEditor } from './root-editor.js';
import { readSmallFile, type SmallFile, writeSmallFile } from './small-file.js';

/** The terminals that the HOWTO changes between. */
const CONSOLES = ['tty0', 'tty1'] as const;
const TERMINAL = /^[A-Za-z][\w./-]{0,30}$/;

/** How one line is to be. */
interface Edit {
  readonly line: InittabLine;
  readonly outcome: 'commented out' | 'uncommented' | 'changed';
  readonly text: ByteString;
}

/** What one of the settings needs: edits (none if all is as it should be), or why it can't be done. */
type Plan = readonly Edit[] | string;

/**
 * HOWTO 5.6: in the inittab of the cluster's init, does what its "For UML" markers say: the DHCP daemon off, and the
 * getty on tty0 instead of tty1. Every other byte of the file, its owner and its mode stay. Throws one DiagnosticError
 * that shows the nearest lines when a marker or its lines can't be found; nothing is changed then.
 */
export function editInittab(root: RootEditor, settings: InittabSettings, context: ConfigureContext): void {
  const terminal = settings.getty.replace(/^\/dev\//, '');
  if (!TERMINAL.test(terminal)) {
    throw context.faultAt(['configure', 'inittab', 'getty'], `"${settings.getty}" is no name of a terminal`);
  }
  const file = inittabOf(root, settings, context);
  const lines = inittabLines(file.text);
  const plans = { dhcpd: dhcpdPlan(lines, settings.dhcpd), getty: gettyPlan(lines, terminal) };
  const faults = Object.values(plans).filter((plan) => typeof plan === 'string');
  if (faults.length > 0) throw markersFault(file, lines, faults);
  const edits = new Map<InittabLine, Edit>();
  for (const [topic, plan] of Object.entries(plans)) {
    if (typeof plan === 'string') continue;
    if (plan.length === 0) root.note('inittab', file.path, 'already done', { detail: topic });
    for (const edit of plan) {
      edits.set(edit.line, edit);
      const detail = textFromByteString(edit.text);
      root.note('inittab', file.path, edit.outcome, { line: edit.line.number, detail });
    }
  }
  if (edits.size === 0) return;
  writeSmallFile(root, file, lines.map((line) => (edits.get(line)?.text ?? line.text) + line.end).join(''));
}

function dhcpdPlan(lines: readonly InittabLine[], wanted: boolean): Plan {
  const isDhcp = ({ entry }: InittabLine): boolean => entry !== undefined && /dhcp/i.test(entry.process);
  const marked = lines.filter((line) => line.marked && isDhcp(line));
  if (!wanted) {
    if (marked.length === 0) return 'no line that starts a DHCP daemon is marked';
    return marked.filter(isActive).map(commentOut);
  }
  if ((marked.length === 0 ? lines.filter(isDhcp) : marked).some(isActive)) return [];
  if (marked.length === 0) return 'no line that would start a DHCP daemon is marked';
  // Two entries of one id would be a fault of the file for init.
  const ids = new Set(lines.filter(isActive).map(({ entry }) => entry?.id));
  const edits: Edit[] = [];
  for (const line of marked) {
    if (ids.has(line.entry?.id)) continue;
    ids.add(line.entry?.id);
    edits.push(uncomment(line));
  }
  return edits.length > 0 ? edits : 'the marked lines of a DHCP daemon have ids that others have already';
}

function gettyPlan(lines: readonly InittabLine[], terminal: string): Plan {
  const others = CONSOLES.filter((console) => console !== terminal);
  const gettys = lines.filter(({ entry }) => entry !== undefined && /getty/i.test(entry.process));
  const wanted = gettys.filter((line) => line.marked && isOn(line, terminal));
  const unwanted = gettys.filter((line) => others.some((other) => isOn(line, other)));
  if (wanted.length === 0 && !unwanted.some((line) => line.marked)) {
    return `no line that starts a getty on ${[terminal, ...others].join(' or ')} is marked`;
  }
  // A marker may stand between the two lines it speaks of, so what is to be off needs none of its own.
  const running = unwanted.filter(isActive);
  if (wanted.some(isActive)) return running.map(commentOut);
  const [alternative] = wanted;
  if (alternative !== undefined) return [...running.map(commentOut), uncomment(alternative)];
  const first = running.find((line) => line.marked);
  if (first === undefined) {
    return `no marked line starts a getty on ${others.join(' or ')}, or would on ${terminal}`;
  }
  const changed: Edit = { line: first, outcome: 'changed', text: onTerminal(first.text, terminal) };
  return [changed, ...running.filter((line) => line !== first).map(commentOut)];
}

function isActive({ entry }: InittabLine): boolean {
  return entry?.active === true;
}

function isOn({ entry }: InittabLine, terminal: string): boolean {
  const words = entry?.process.split(/[ \t]+/) ?? [];
  return words.includes(terminal) || words.includes(`/dev/${terminal}`);
}

function onTerminal(text: ByteString, terminal: string): ByteString {
  return text.replace(
    /(?<=[ \t:])(\/dev\/)?tty[01](?=[ \t]|$)/g,
    (_, folder: string | undefined) => `${folder ?? ''}${terminal}`,
  );
}

function commentOut(line: InittabLine): Edit {
  return { line, outcome: 'commented out', text: commentedOut(line) };
}

function uncomment(line: InittabLine): Edit {
  return { line, outcome: 'uncommented', text: uncommented(line) };
}

function inittabOf(root: RootEditor, { source }: InittabSettings, context: ConfigureContext): SmallFile {
  const path = byteStringFromText(source);
  const fault = faultOfPath(path);
  if (fault !== undefined)
    throw context.faultAt(['configure', 'inittab', 'source'], `"${source}" is ${fault}`);
  const place = root.find(path, true);
  if (place.kind === 'found') return readSmallFile(place);
  throw imageError(
    { path: source },
    place.kind === 'absent' ? 'no such inittab in the root' : `no inittab: ${reasonOf(place)}`,
    hintForMissing(root, path, place),
  );
}

const NAMES_SHOWN = 5;

/** What makes the file, and which others of this kind there are. */
function hintForMissing(root: RootEditor, path: ByteString, place: Place): string {
  const maker = 'The make rule of the cluster tools installs it ("clusterTools: {rule: ...}")';
  const slash = path.lastIndexOf('/');
  const folder = root.find(path.slice(0, slash + 1), true);
  if (place.kind !== 'absent' || folder.kind !== 'found' || folder.node.type !== 'directory')
    return `${maker}.`;
  const names = [...folder.node.entries.keys()].filter((name) => name.startsWith('inittab')).sort();
  const paths = names.map((name) => textFromByteString(path.slice(0, slash + 1) + name));
  if (paths.length === 0) return `${maker}.`;
  const nearest = nearestWord(textFromByteString(path), paths);
  const question = nearest === undefined ? '' : ` Did you mean ${printable(nearest)}?`;
  return `${maker}. There is ${paths.slice(0, NAMES_SHOWN).map(printable).join(', ')}.${question}`;
}

const LINES_SHOWN = 12;
const LINE_COLUMNS = 100;

function markersFault(
  file: SmallFile,
  lines: readonly InittabLine[],
  faults: readonly string[],
): DiagnosticError {
  const near = lines.filter(({ text, marker }) => marker || /dhcp|getty|\btty/i.test(text));
  const shown = near.slice(0, LINES_SHOWN).map(({ number, text }) => {
    const line = printable(textFromByteString(text.slice(0, LINE_COLUMNS)).replaceAll('\t', ' '));
    return `${`${number}`.padStart(4)} | ${line}${text.length > LINE_COLUMNS ? '…' : ''}`;
  });
  if (near.length > LINES_SHOWN) shown.push(`     … and ${near.length - LINES_SHOWN} lines more`);
  const unmarked = lines.some(({ marker }) => marker) ? '' : 'there is no "For UML" in this file: ';
  const [first] = near;
  return new DiagnosticError({
    kind: 'image',
    message: `${unmarked}${faults.join(', and ')} "For UML"`,
    location: { path: textFromByteString(file.path), ...(first === undefined ? {} : { line: first.number }) },
    excerpt: shown,
    hint: 'Put a comment "# For UML" above the lines that are meant, leave "inittab" out of the recipe, or name another file with "inittab: {source: ...}".',
  });
}
