import { nearestWord } from '../suggestion.js';
import { FaultCollector, type Line, linesOf, type Word } from '../text-file.js';

/** A node of the cluster in the lock table. */
export interface LockTableNode {
  /** IPv4 address on the interconnect. */
  readonly ip: string;
  /** Client number, which is its journal's too: from 1 on. */
  readonly cid: number;
  /** What follows `SM:`, as it is; `none` without a STOMITH method. */
  readonly sm: string;
}

/** The lock table that gfsconf reads from `gfscf.cf`: the keys of the HOWTO's listing (5.2). */
export interface LockTable {
  /** Pool device of the filesystem. */
  readonly datadev: string;
  /** Pool device that holds the lock table. */
  readonly cidev: string;
  /** Lock server, `ip:port`. */
  readonly lockdev: string;
  /** Port on which nodes are called back. */
  readonly cbport: number;
  /** Seconds. */
  readonly timeout: number;
  readonly stomith: string;
  /** Name of the STOMITH device. */
  readonly name: string;
  readonly nodes: readonly LockTableNode[];
}

const PORT_MAX = 65535;
const NODES_MAX = 255;
const single = ['datadev', 'cidev', 'lockdev', 'cbport', 'timeout', 'STOMITH', 'name'] as const;
type SingleKey = (typeof single)[number];
const known: readonly string[] = [...single, 'node'];

interface Value {
  readonly word: Word;
  readonly line: Line;
}

/** Parses a lock table. Throws a DiagnosticError of kind `usage` with everything that is wrong in it. */
export function parseLockTable(text: string, file: string): LockTable {
  return new Parser(text, file).parse();
}

/** The lock table as the HOWTO lists it. */
export function printLockTable(table: LockTable): string {
  const entry = (key: string, value: string | number): string => `${`${key}:`.padEnd(16)}${value}`;
  const lines = [
    entry('datadev', table.datadev),
    entry('cidev', table.cidev),
    entry('lockdev', table.lockdev),
    entry('cbport', table.cbport),
    entry('timeout', table.timeout),
    `STOMITH: ${table.stomith}`,
    `name:${table.name}`,
    ...table.nodes.map(({ ip, cid, sm }) => `${`node: ${ip}`.padEnd(24)}${String(cid).padEnd(8)}SM: ${sm}`),
  ];
  return `${lines.join('\n')}\n`;
}

/** Whether text is an IPv4 address in dotted decimal. */
export function isIPv4(text: string): boolean {
  const parts = text.split('.');
  return parts.length === 4 && parts.every((part) => /^(0|[1-9]\d{0,2})$/.test(part) && Number(part) <= 255);
}

/** A line from a word on to its last one, blanks between them as they are. */
function textFrom({ text, words }: Line, first: Word): string {
  const last = words.at(-1) ?? first;
  return text.slice(first.column - 1, last.column - 1 + last.text.length);
}

class Parser {
  private readonly faults: FaultCollector;
  private readonly lines: Line[];
  private readonly values = new Map<SingleKey, Value>();
  private readonly nodes: LockTableNode[] = [];
  /** Lines of the nodes so far, by address and by client number. */
  private readonly lineOfIp = new Map<string, number>();
  private readonly lineOfCid = new Map<number, number>();

  constructor(text: string, file: string) {
    this.faults = new FaultCollector(file);
    this.lines = linesOf(text);
  }

  parse(): LockTable {
    for (const line of this.lines) this.parseLine(line);
    for (const key of single) {
      if (!this.values.has(key)) this.faults.missing(`no ${key} line`, `Add: ${key}: VALUE`);
    }
    if (this.nodes.length === 0)
      this.faults.missing('no node line', 'Add one for each node: node: IP CID SM: none');
    if (this.nodes.length > NODES_MAX)
      this.faults.missing(`${this.nodes.length} nodes (at most ${NODES_MAX})`);
    const table = {
      datadev: this.device('datadev'),
      cidev: this.device('cidev'),
      lockdev: this.lockServer(),
      cbport: this.number('cbport', 1, PORT_MAX),
      timeout: this.number('timeout', 1, 86400),
      stomith: this.values.get('STOMITH')?.word.text ?? '',
      name: this.values.get('name')?.word.text ?? '',
      nodes: this.nodes,
    };
    this.faults.throwIfAny();
    return table;
  }

  private parseLine(line: Line): void {
    const [first, ...rest] = line.words as [Word, ...Word[]];
    const colon = first.text.indexOf(':');
    const key = colon < 0 ? first.text : first.text.slice(0, colon);
    if (!known.includes(key)) {
      const near = nearestWord(key, known);
      this.faults.at(
        line,
        first,
        `unknown key "${key}"`,
        near === undefined ? `Known: ${known.join(', ')}.` : `Did you mean "${near}"?`,
      );
      return;
    }
    if (colon < 0) {
      this.faults.at(line, first, `"${key}" is not followed by a colon`);
      return;
    }
    // The value may follow its key at once: `name:none`.
    const attached = first.text.slice(colon + 1);
    const words = attached === '' ? rest : [{ text: attached, column: first.column + colon + 1 }, ...rest];
    if (key === 'node') this.takeNode(line, first, words);
    else this.takeSingle(line, first, key as SingleKey, words);
  }

  private takeSingle(line: Line, first: Word, key: SingleKey, words: readonly Word[]): void {
    const earlier = this.values.get(key);
    if (earlier !== undefined) {
      this.faults.at(line, first, `"${key}" is there already, in line ${earlier.line.number}`);
      return;
    }
    const [word, more] = words;
    if (word === undefined || more !== undefined) {
      this.faults.at(line, more ?? first, `"${key}" takes one value, ${words.length} given`);
    }
    // What is wrong has been said: a key that is there is not missing as well.
    this.values.set(key, { word: word ?? { text: '', column: first.column }, line });
  }

  private takeNode(line: Line, first: Word, words: readonly Word[]): void {
    const [ip, cid, marker] = words;
    const sm = marker === undefined ? '' : textFrom(line, marker).slice('SM:'.length).trim();
    if (ip === undefined || cid === undefined || !marker?.text.startsWith('SM:') || sm === '') {
      this.faults.at(
        line,
        marker ?? cid ?? ip ?? first,
        'a node line is incomplete',
        'Usage: node: IP CID SM: none',
      );
      return;
    }
    if (!isIPv4(ip.text)) this.faults.at(line, ip, `"${ip.text}" is no IPv4 address`);
    const number = /^\d{1,6}$/.test(cid.text) ? Number(cid.text) : Number.NaN;
    if (!(number >= 1 && number <= NODES_MAX)) {
      this.faults.at(
        line,
        cid,
        `the client number is "${cid.text}": a whole number from 1 to ${NODES_MAX} belongs here`,
      );
    }
    const [withIp, withCid] = [this.lineOfIp.get(ip.text), this.lineOfCid.get(number)];
    if (withIp === undefined) this.lineOfIp.set(ip.text, line.number);
    else this.faults.at(line, ip, `${ip.text} is a node already, in line ${withIp}`);
    if (withCid === undefined) this.lineOfCid.set(number, line.number);
    else if (!Number.isNaN(number))
      this.faults.at(line, cid, `client number ${number} is taken already, in line ${withCid}`);
    this.nodes.push({ ip: ip.text, cid: number, sm });
  }

  private device(key: 'datadev' | 'cidev'): string {
    const value = this.values.get(key);
    if (value !== undefined && value.word.text !== '' && !value.word.text.startsWith('/')) {
      this.faults.at(value.line, value.word, `${key} is "${value.word.text}": an absolute path belongs here`);
    }
    return value?.word.text ?? '';
  }

  private lockServer(): string {
    const value = this.values.get('lockdev');
    if (value === undefined || value.word.text === '') return '';
    const [ip, port, ...more] = value.word.text.split(':');
    const number = /^\d{1,5}$/.test(port ?? '') ? Number(port) : Number.NaN;
    if (more.length > 0 || !isIPv4(ip ?? '') || !(number >= 1 && number <= PORT_MAX)) {
      this.faults.at(
        value.line,
        value.word,
        `lockdev is "${value.word.text}": IP:PORT belongs here`,
        'For example 192.168.50.101:15697.',
      );
    }
    return value.word.text;
  }

  private number(key: 'cbport' | 'timeout', least: number, most: number): number {
    const value = this.values.get(key);
    if (value === undefined || value.word.text === '') return 0;
    const number = /^\d{1,9}$/.test(value.word.text) ? Number(value.word.text) : Number.NaN;
    if (number >= least && number <= most) return number;
    this.faults.at(
      value.line,
      value.word,
      `${key} is "${value.word.text}": a whole number from ${least} to ${most} belongs here`,
    );
    return least;
  }
}
