import { createHash } from 'node:crypto';
import { lstatSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { MemorySource } from '../../images/bytes/byte-source.js';
import { type ByteString, byteStringFromText } from '../../images/bytes/byte-string.js';
import type { Attributes, FileNode } from '../../images/tree/node.js';
import { joinPath, type Tree } from '../../images/tree/tree.js';
import { TreeBuilder } from '../../images/tree/tree-builder.js';
import type { Description, Ownership } from './description.js';
import { madeUpLog } from './made-up-log.js';

const DAY = 86_400;
/** Files are up to so many days older than the image. */
const DAYS = 300;
const RUNLEVELS = ['0', '1', '2', '3', '4', '5', '6'];
const ROOT: Ownership = { uid: 0, gid: 0 };

/** The root directory that a description and the text files beside it, in `folder`, are for. */
export function baseTree(folder: string, description: Description): Tree {
  return new BaseTree(folder, description).build();
}

class BaseTree {
  private readonly builder: TreeBuilder;

  constructor(
    private readonly folder: string,
    private readonly description: Description,
  ) {
    this.builder = new TreeBuilder(this.attributesOf('/', ROOT, 0o755));
  }

  build(): Tree {
    const { description } = this;
    for (const [path, owner] of Object.entries(description.directories)) this.addDirectory(path, owner);
    this.addTextFiles('');
    for (const path of Object.keys(description.attributes)) {
      if (this.builder.get(path) === undefined) throw new Error(`no text file for the attributes of ${path}`);
    }
    for (const [path, text] of Object.entries(description.texts)) this.addText(path, text.content, text);
    this.addPrograms();
    this.addServices();
    this.addModules();
    this.addGenerated();
    this.addSpecials();
    for (const [path, target] of Object.entries(description.symlinks)) {
      const attributes = this.attributesOf(path, ROOT, 0o777);
      this.put(path, { ...attributes, type: 'symlink', target: byteStringFromText(target) });
    }
    for (const [path, existing] of Object.entries(description.links)) {
      this.addParents(nameOf(path));
      this.builder.link(nameOf(path), nameOf(existing));
    }
    return this.builder.build();
  }

  private template(name: string): string {
    return readFileSync(join(this.folder, name), 'utf8');
  }

  private addDirectory(path: string, owner: Ownership): void {
    const name = nameOf(path);
    this.addParents(name);
    this.builder.directory(name, this.attributesOf(name, owner, 0o755));
  }

  /** The text files below `files`, at their paths. Their modes on the host say nothing: git keeps few of them. */
  private addTextFiles(path: string): void {
    const folder = join(this.folder, 'files', path);
    for (const name of readdirSync(folder).sort()) {
      const below = `${path}/${name}`;
      const file = join(folder, name);
      if (lstatSync(file).isDirectory()) this.addTextFiles(below);
      else this.addText(below, readFileSync(file, 'utf8'), this.description.attributes[below] ?? ROOT);
    }
  }

  private addPrograms(): void {
    const program = this.template('program.sh');
    for (const [path, owner] of Object.entries(this.description.programs)) {
      this.addText(path, program.replaceAll('@PATH@', path), owner, 0o755);
    }
  }

  private addServices(): void {
    const script = this.template('service.sh');
    for (const { name, levels, start, stop, summary } of this.description.services) {
      const values: Record<string, string> = {
        NAME: name,
        LEVELS: levels,
        START: `${start}`,
        STOP: `${stop}`,
        SUMMARY: summary,
      };
      const content = script.replace(/@([A-Z]+)@/g, (_, key: string) => values[key] ?? '');
      this.addText(`/etc/rc.d/init.d/${name}`, content, ROOT, 0o755);
      for (const level of RUNLEVELS) {
        const [letter, order] = levels.includes(level) ? ['S', start] : ['K', stop];
        const path = `/etc/rc.d/rc${level}.d/${letter}${`${order}`.padStart(2, '0')}${name}`;
        const attributes = this.attributesOf(path, ROOT, 0o777);
        this.put(path, { ...attributes, type: 'symlink', target: `../init.d/${name}` });
      }
    }
  }

  private addModules(): void {
    const { version, needs } = this.description.modules;
    const folder = `/lib/modules/${version}`;
    const lines = Object.entries(needs).map(([module, others]) => {
      const needed = others.map((other) => ` ${folder}/${other}`).join('');
      this.addText(`${folder}/${module}`, `This stands for ${module} in the sample: no object code.\n`, ROOT);
      return `${folder}/${module}:${needed}\n`;
    });
    this.addText(`${folder}/modules.dep`, lines.join(''), ROOT);
  }

  private addGenerated(): void {
    const { crowds, logs, sparse, image } = this.description;
    for (const { path, count, content, ...owner } of crowds) {
      const digits = `${count - 1}`.length;
      for (let number = 0; number < count; number++) {
        const shown = `${number}`.padStart(digits, '0');
        this.addText(path.replaceAll('#', shown), content.replaceAll('#', shown), owner);
      }
    }
    for (const [path, { lines, ...owner }] of Object.entries(logs)) {
      this.addText(path, madeUpLog(lines, image.epoch), owner);
    }
    for (const [path, { size, data, ...owner }] of Object.entries(sparse)) {
      this.put(path, { ...this.attributesOf(path, owner, 0o644), ...sparseFile(size, data) });
    }
  }

  private addSpecials(): void {
    const { devices, fifos, sockets } = this.description;
    for (const { path, type, major, minor, count, first, ...owner } of devices) {
      for (let index = 0; index < count; index++) {
        const name = path.replace('#', `${first + index}`);
        const attributes = this.attributesOf(name, owner, 0o660);
        this.put(name, { ...attributes, type, major, minor: minor + index });
      }
    }
    for (const [path, owner] of Object.entries(fifos))
      this.put(path, { ...this.attributesOf(path, owner, 0o644), type: 'fifo' });
    for (const [path, owner] of Object.entries(sockets))
      this.put(path, { ...this.attributesOf(path, owner, 0o755), type: 'socket' });
  }

  private addText(path: string, content: string, owner: Ownership, mode = 0o644): void {
    const bytes = Buffer.from(content);
    const attributes = this.attributesOf(path, owner, mode);
    this.put(path, { ...attributes, type: 'file', size: bytes.length, content: { kind: 'inline', bytes } });
  }

  private put(path: string, node: Parameters<TreeBuilder['put']>[1]): void {
    const name = nameOf(path);
    if (this.builder.get(name) !== undefined) throw new Error(`${path} is described twice`);
    this.addParents(name);
    this.builder.put(name, node);
  }

  /** Directories that nothing describes. */
  private addParents(path: ByteString): void {
    const names = path.split('/').slice(1, -1);
    let parent = '/';
    for (const name of names) {
      parent = joinPath(parent, name);
      if (this.builder.get(parent) === undefined) {
        this.builder.directory(parent, this.attributesOf(parent, ROOT, 0o755));
      }
    }
  }

  /** Every path has a time of its own, the same at each run. */
  private attributesOf(path: string, { mode, uid, gid }: Ownership, usual: number): Attributes {
    const days = createHash('sha256').update(path).digest().readUInt16LE(0) % DAYS;
    const seconds = this.description.image.epoch - days * DAY;
    return { mode: mode ?? usual, uid, gid, mtime: { seconds, nanoseconds: 0 } };
  }
}

/** A path of the description as bytes: `%` and two hexadecimal digits are one. */
function nameOf(path: string): ByteString {
  return byteStringFromText(path).replace(/%([0-9A-F]{2})/g, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 16)),
  );
}

/** A file that is all hole but for some texts. */
function sparseFile(
  size: number,
  data: readonly { offset: number; text: string }[],
): Pick<FileNode, 'type' | 'size' | 'content'> {
  const texts = data.map(({ text }) => Buffer.from(text));
  let position = 0;
  const extents = data.map(({ offset }, index) => {
    const length = texts[index]?.length ?? 0;
    position += length;
    return { offset, position: position - length, length };
  });
  const source = new MemorySource(Buffer.concat(texts), 'sparse sample');
  return { type: 'file', size, content: { kind: 'extents', source, extents: () => extents } };
}
