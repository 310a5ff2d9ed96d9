import type { ByteSource } from '../bytes/byte-source.js';
import { type ByteString, textFromByteString } from '../bytes/byte-string.js';
import { type DiagnosticError, imageError } from '../diagnostic.js';
import { componentsOf, faultOfName, PATH_BYTES_MAX } from '../tree/name.js';
import type { Attributes, LeafNode, Timestamp } from '../tree/node.js';
import type { Tree } from '../tree/tree.js';
import { IMPLIED_DIRECTORY, TreeBuilder } from '../tree/tree-builder.js';
import type { TarMember } from './members.js';
import { paxAttributes, paxInteger, paxTime } from './pax.js';
import { isMoreThanMode, posixAclOf } from './posix-acl.js';

const ID_MAX = 0xffffffff;

/**
 * A Tree made of archive members, one after the other. No member gets outside it: names with `..` are refused, and
 * so are paths through a symbolic link, which would lead wherever the link points when somebody extracts them.
 */
export class ArchiveTree {
  private readonly builder = new TreeBuilder(IMPLIED_DIRECTORY);
  /** Whether a member had them: only then the archive is of a form that keeps them. */
  private hasFractions = false;
  private hasXattrs = false;

  constructor(private readonly source: ByteSource) {}

  add(member: TarMember): void {
    if (member.path === '') throw this.fail(member, 'a member without a name');
    const path = this.checkPath(member, member.path, 'its name');
    const attributes = this.attributesOf(member);
    switch (member.header.type) {
      case '0':
      case '7':
      case 'S':
        // The old form has no type for directories: a slash at the end of the name says so.
        if (member.path.endsWith('/')) this.builder.directory(path, attributes);
        else this.put(member, path, this.fileOf(member, attributes));
        return;
      case '1':
        this.link(member, path);
        return;
      case '2':
        this.put(member, path, { ...attributes, type: 'symlink', target: this.targetOf(member) });
        return;
      case '3':
      case '4':
        this.put(member, path, {
          ...attributes,
          type: member.header.type === '3' ? 'character' : 'block',
          major: member.header.major,
          minor: member.header.minor,
        });
        return;
      case '5':
      case 'D':
        this.builder.directory(path, attributes);
        return;
      case '6':
        this.put(member, path, { ...attributes, type: 'fifo' });
        return;
      default:
        throw this.fail(member, `a member of the unknown type "${textFromByteString(member.header.type)}"`);
    }
  }

  build(): Tree {
    return this.builder.build({ nanoseconds: this.hasFractions, xattrs: this.hasXattrs });
  }

  private put(member: TarMember, path: ByteString, node: LeafNode): void {
    if (componentsOf(path).length === 0)
      throw this.fail(member, 'the root is something else than a directory');
    const known = this.builder.get(path);
    if (known?.type === 'directory' && known.entries.size > 0)
      throw this.fail(member, `a ${node.type} in the place of a directory that is not empty`);
    this.builder.put(path, node);
  }

  private targetOf(member: TarMember): ByteString {
    const { linkName } = member;
    if (linkName === '') throw this.fail(member, 'a symbolic link without a target');
    if (linkName.length > PATH_BYTES_MAX || linkName.includes('\0'))
      throw this.fail(member, 'a symbolic link whose target is no path');
    return linkName;
  }

  private link(member: TarMember, path: ByteString): void {
    const target = this.checkPath(member, member.linkName, 'its target');
    const node = this.builder.get(target);
    if (node === undefined || node.type === 'directory') {
      const what = node === undefined ? 'no earlier member' : 'a directory';
      throw this.fail(member, `a hard link to ${textFromByteString(member.linkName)}, which is ${what}`);
    }
    this.put(member, path, node);
  }

  private fileOf(member: TarMember, attributes: Attributes): LeafNode {
    const { size, extents } = member;
    return {
      ...attributes,
      type: 'file',
      size,
      content: { kind: 'extents', source: this.source, extents: () => extents },
    };
  }

  /** The path without `.` and slashes at its ends. Throws when it is no path inside the archive. */
  private checkPath(member: TarMember, path: ByteString, what: string): ByteString {
    if (path.length > PATH_BYTES_MAX) throw this.fail(member, `${what} has ${path.length} bytes`);
    const names = componentsOf(path);
    let node = this.builder.get('/');
    for (const [index, name] of names.entries()) {
      const fault = name === '..' ? 'a ".." that would lead out of the archive' : faultOfName(name);
      if (fault !== undefined) throw this.fail(member, `${what} has ${fault}`);
      if (node !== undefined && node.type !== 'directory') {
        const passed = textFromByteString(names.slice(0, index).join('/'));
        throw this.fail(member, `${what} leads through ${passed}, which is a ${node.type}`);
      }
      node = node?.entries.get(name);
    }
    return names.join('/');
  }

  private attributesOf(member: TarMember): Attributes {
    const { header, pax } = member;
    const attributes = {
      mode: header.mode & 0o7777,
      uid: this.idOf(member, 'uid'),
      gid: this.idOf(member, 'gid'),
      mtime: this.timeOf(member),
    };
    // Most members have no records.
    const xattrs = pax.size === 0 ? undefined : this.xattrsOf(member);
    return xattrs === undefined || xattrs.size === 0 ? attributes : { ...attributes, xattrs };
  }

  private xattrsOf(member: TarMember): Map<ByteString, Uint8Array> {
    const xattrs = paxAttributes(member.pax);
    if (typeof xattrs === 'string') throw this.fail(member, xattrs);
    for (const kind of ['access', 'default'] as const) {
      const text = member.pax.get(`SCHILY.acl.${kind}`);
      const name = `system.posix_acl_${kind}`;
      // The attribute itself has numbers: where it is there, the text with its names adds nothing.
      if (text === undefined || xattrs.has(name)) continue;
      const acl = posixAclOf(text);
      if (acl === undefined) {
        throw this.fail(
          member,
          'an access control list with names, which this host may know by other numbers',
          "Make the archive with tar's options --xattrs --xattrs-include='*' instead of --acls.",
        );
      }
      if (kind === 'default' || isMoreThanMode(acl)) xattrs.set(name, acl);
    }
    if (xattrs.size > 0) this.hasXattrs = true;
    return xattrs;
  }

  private idOf(member: TarMember, name: 'uid' | 'gid'): number {
    const text = member.pax.get(name);
    const value = text === undefined ? member.header[name] : paxInteger(text);
    if (!(value >= 0 && value <= ID_MAX)) throw this.fail(member, `its ${name} is out of range`);
    return value;
  }

  private timeOf(member: TarMember): Timestamp {
    const text = member.pax.get('mtime');
    const time = text === undefined ? { seconds: member.header.mtime, nanoseconds: 0 } : paxTime(text);
    if (time === undefined) throw this.fail(member, 'its modification time is no number');
    if (text !== undefined) this.hasFractions = true;
    return time;
  }

  private fail(member: Pick<TarMember, 'path' | 'offset'>, message: string, hint?: string): DiagnosticError {
    const path = textFromByteString(
      member.path.length > 200 ? `${member.path.slice(0, 200)}...` : member.path,
    );
    return imageError({ file: this.source.name, offset: member.offset, path }, message, hint);
  }
}
