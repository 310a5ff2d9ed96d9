import { nearestWord } from '../suggestion.js';
import { FaultCollector, type Line, linesOf, type Word } from '../text-file.js';

/** What a subpool is for. OpenGFS's documents also call the GFS types `ogfs_data` and `ogfs_journal`. */
export type SubpoolType = 'data' | 'gfs_data' | 'gfs_journal';

export interface Subpool {
  /** From 0 on. */
  readonly id: number;
  /** Stripe in 512-byte sectors; 0 concatenates the devices. */
  readonly stripe: number;
  readonly devices: number;
  readonly type: SubpoolType;
}

export interface PoolDevice {
  readonly subpool: number;
  /** From 0 on within the subpool. */
  readonly id: number;
  readonly path: string;
  /** Preference among DMEP devices; 0 without any. */
  readonly weight: number;
}

/** A pool as ptool's configuration file describes it (format document §10.2). */
export interface PoolConfig {
  readonly name: string;
  /** 0 lets the driver choose. */
  readonly minor: number;
  readonly subpools: readonly Subpool[];
  /** In the order of subpools and ids, whatever the file's was. */
  readonly devices: readonly PoolDevice[];
}

export const POOL_NAME_BYTES_MAX = 255;
const MINOR_MAX = 64;
const DEVICES_MAX = 128;

const typeNames: Readonly<Record<string, SubpoolType>> = {
  data: 'data',
  gfs_data: 'gfs_data',
  gfs_journal: 'gfs_journal',
  ogfs_data: 'gfs_data',
  ogfs_journal: 'gfs_journal',
};

/** Least and most words after the keyword, and how it is written. */
const keywords: Readonly<Record<string, readonly [least: number, most: number, usage: string]>> = {
  poolname: [1, 1, 'poolname NAME'],
  minor: [1, 1, 'minor N'],
  subpools: [1, 1, 'subpools COUNT'],
  subpool: [3, 4, 'subpool ID STRIPE DEVICES [TYPE]'],
  pooldevice: [3, 4, 'pooldevice SUBPOOL ID DEVICE [WEIGHT]'],
};

interface Entry<T> {
  readonly value: T;
  readonly line: Line;
}

/** Parses a pool configuration. Throws a DiagnosticError of kind `usage` with everything that is wrong in it. */
export function parsePoolConfig(text: string, file: string): PoolConfig {
  return new Parser(text, file).parse();
}

/** The configuration in the form of the HOWTO (5.2). */
export function printPoolConfig(config: PoolConfig): string {
  const lines = [`poolname ${config.name}`];
  if (config.minor !== 0) lines.push(`minor ${config.minor}`);
  lines.push(`subpools ${config.subpools.length}`);
  for (const { id, stripe, devices, type } of config.subpools)
    lines.push(`subpool ${id} ${stripe} ${devices} ${type}`);
  for (const { subpool, id, path, weight } of config.devices)
    lines.push(`pooldevice ${subpool} ${id} ${path} ${weight}`);
  return `${lines.join('\n')}\n`;
}

/** Adds a value to a set. Returns whether it is new there. */
function addNew<T>(set: Set<T>, value: T): boolean {
  const { size } = set;
  return set.add(value).size > size;
}

class Parser {
  private readonly faults: FaultCollector;
  private readonly lines: Line[];
  private name: Entry<string> | undefined;
  private minor: Entry<number> | undefined;
  private count: Entry<number> | undefined;
  /** The count could be read: only then is it compared with what follows. */
  private isCountSound = false;
  private readonly subpools: Entry<Subpool>[] = [];
  private readonly devices: Entry<PoolDevice>[] = [];
  // What is there already: a file of nothing but repetitions is not compared line by line.
  private readonly subpoolIds = new Set<number>();
  private readonly deviceIds = new Set<string>();
  private readonly paths = new Set<string>();

  constructor(text: string, file: string) {
    this.faults = new FaultCollector(file);
    this.lines = linesOf(text);
  }

  parse(): PoolConfig {
    for (const line of this.lines) this.parseLine(line);
    if (this.name === undefined) this.faults.missing('no poolname line', 'Add: poolname NAME');
    if (this.count === undefined) this.faults.missing('no subpools line', 'Add: subpools COUNT');
    this.checkSubpools();
    this.checkDevices();
    this.faults.throwIfAny();
    return {
      name: this.name?.value ?? '',
      minor: this.minor?.value ?? 0,
      subpools: this.subpools.map(({ value }) => value).sort((a, b) => a.id - b.id),
      devices: this.devices.map(({ value }) => value).sort((a, b) => a.subpool - b.subpool || a.id - b.id),
    };
  }

  private parseLine(line: Line): void {
    const [keyword, ...words] = line.words as [Word, ...Word[]];
    const shape = Object.hasOwn(keywords, keyword.text) ? keywords[keyword.text] : undefined;
    if (shape === undefined) {
      const near = nearestWord(keyword.text, Object.keys(keywords));
      this.faults.at(
        line,
        keyword,
        `unknown keyword "${keyword.text}"`,
        near === undefined ? `Known: ${Object.keys(keywords).join(', ')}.` : `Did you mean "${near}"?`,
      );
      return;
    }
    const [least, most, usage] = shape;
    if (words.length < least || words.length > most) {
      const place = words.length > most ? words[most]! : keyword;
      this.faults.at(
        line,
        place,
        `"${keyword.text}" takes ${least === most ? least : `${least} or ${most}`} ${most === 1 ? 'value' : 'values'}, ${words.length} given`,
        `Usage: ${usage}`,
      );
      return;
    }
    if (keyword.text === 'poolname') this.takeName(line, words[0]!);
    else if (keyword.text === 'minor') this.takeMinor(line, words[0]!);
    else if (keyword.text === 'subpools') this.takeCount(line, words[0]!);
    else if (keyword.text === 'subpool') this.takeSubpool(line, words);
    else this.takeDevice(line, words);
  }

  private takeName(line: Line, word: Word): void {
    this.once(this.name, line, 'poolname');
    if (Buffer.byteLength(word.text) > POOL_NAME_BYTES_MAX) {
      this.faults.at(
        line,
        word,
        `a pool name of ${Buffer.byteLength(word.text)} bytes (at most ${POOL_NAME_BYTES_MAX})`,
      );
    } else if (word.text.includes('/') || word.text.includes('\0')) {
      this.faults.at(line, word, 'a pool name is the name of a device below /dev/pool: it has no "/"');
    }
    this.name = { value: word.text, line };
  }

  private takeMinor(line: Line, word: Word): void {
    this.once(this.minor, line, 'minor');
    this.minor = { value: this.number(line, word, 'the minor number', 0, MINOR_MAX), line };
  }

  private takeCount(line: Line, word: Word): void {
    this.once(this.count, line, 'subpools');
    const before = this.faults.count;
    const value = this.number(line, word, 'the number of subpools', 1, DEVICES_MAX);
    this.count = { value, line };
    this.isCountSound = this.faults.count === before;
  }

  private takeSubpool(line: Line, [id, stripe, devices, type]: readonly Word[]): void {
    const stripeSectors = this.number(line, stripe!, 'the stripe', 0, 2 ** 31);
    if ((stripeSectors & (stripeSectors - 1)) !== 0) {
      this.faults.at(
        line,
        stripe!,
        `a stripe of ${stripeSectors} sectors is no power of two`,
        '0 concatenates the devices.',
      );
    }
    const known =
      type === undefined
        ? 'gfs_data'
        : Object.hasOwn(typeNames, type.text)
          ? typeNames[type.text]
          : undefined;
    if (known === undefined && type !== undefined) {
      const near = nearestWord(type.text, Object.keys(typeNames));
      this.faults.at(
        line,
        type,
        `unknown subpool type "${type.text}"`,
        near === undefined ? 'Known: gfs_data, gfs_journal, data.' : `Did you mean "${near}"?`,
      );
    }
    const value = {
      id: this.number(line, id!, 'the subpool', 0, DEVICES_MAX - 1),
      stripe: stripeSectors,
      devices: this.number(line, devices!, 'the number of devices', 1, DEVICES_MAX),
      type: known ?? 'gfs_data',
    };
    if (!addNew(this.subpoolIds, value.id)) this.faults.at(line, id!, `subpool ${value.id} is there twice`);
    this.subpools.push({ value, line });
  }

  private takeDevice(line: Line, [subpool, id, path, weight]: readonly Word[]): void {
    const value = {
      subpool: this.number(line, subpool!, 'the subpool', 0, DEVICES_MAX - 1),
      id: this.number(line, id!, 'the device', 0, DEVICES_MAX - 1),
      path: path!.text,
      weight: weight === undefined ? 0 : this.number(line, weight, 'the weight', 0, 2 ** 31),
    };
    if (!addNew(this.deviceIds, `${value.subpool}.${value.id}`))
      this.faults.at(line, id!, `device ${value.id} of subpool ${value.subpool} is there twice`);
    if (!addNew(this.paths, value.path)) this.faults.at(line, path!, `${value.path} is in the pool twice`);
    this.devices.push({ value, line });
  }

  private checkSubpools(): void {
    const { count, subpools, faults } = this;
    if (count !== undefined && this.isCountSound && count.value !== subpools.length) {
      faults.at(
        count.line,
        count.line.words[1]!,
        `${count.value} subpools, but ${subpools.length} subpool lines`,
      );
    }
    for (const { value, line } of subpools) {
      if (value.id >= subpools.length) {
        faults.at(line, line.words[1]!, `subpool ${value.id} of ${subpools.length}: ids count from 0`);
      }
      if (value.id === 0 && value.type === 'gfs_journal') {
        faults.at(line, line.words[4]!, 'the first subpool is for data: it cannot be gfs_journal');
      }
    }
  }

  private checkDevices(): void {
    const { subpools, devices, faults } = this;
    if (devices.length > DEVICES_MAX)
      faults.missing(`${devices.length} devices (at most ${DEVICES_MAX} in a pool)`);
    const declared = new Map(subpools.map(({ value }) => [value.id, value.devices]));
    const found = new Map<number, number>();
    for (const { value, line } of devices) {
      found.set(value.subpool, (found.get(value.subpool) ?? 0) + 1);
      const count = declared.get(value.subpool);
      if (count === undefined) faults.at(line, line.words[1]!, `there is no subpool ${value.subpool}`);
      else if (value.id >= count) {
        faults.at(
          line,
          line.words[2]!,
          `device ${value.id} of ${count} in subpool ${value.subpool}: ids count from 0`,
        );
      }
    }
    for (const { value, line } of subpools) {
      const count = found.get(value.id) ?? 0;
      if (count !== value.devices) {
        faults.at(
          line,
          line.words[3]!,
          `subpool ${value.id} has ${value.devices} devices, but ${count} pooldevice lines`,
        );
      }
    }
  }

  private once(earlier: Entry<unknown> | undefined, line: Line, keyword: string): void {
    if (earlier !== undefined)
      this.faults.at(line, line.words[0]!, `"${keyword}" is there already, in line ${earlier.line.number}`);
  }

  /** A whole number in a range; 0 stands for what is wrong, which is noted. */
  private number(line: Line, word: Word, what: string, least: number, most: number): number {
    const value = /^\d{1,15}$/.test(word.text) ? Number(word.text) : Number.NaN;
    if (value >= least && value <= most) return value;
    this.faults.at(
      line,
      word,
      `${what} is "${word.text}": a whole number from ${least} to ${most} belongs here`,
    );
    return least;
  }
}
