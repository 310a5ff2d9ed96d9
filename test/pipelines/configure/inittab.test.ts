import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Tree } from '../../../images/tree/tree.js';
import type { InittabSettings } from '../../../pipelines/recipe/recipe.js';
import { plain, text, treeWith } from '../../support/small-trees.js';
import { differencesOf } from '../../support/tree-of.js';
import { configure, contentOf, type Edited, faultOf, NOW, shortly } from './edit.js';

const PATH = '/etc/inittab.ssi';
const settings: InittabSettings = { source: PATH, dhcpd: false, getty: 'tty0' };

function edit(tree: Tree, changed: Partial<InittabSettings> = {}): Edited {
  return configure(tree, { inittab: { ...settings, ...changed } });
}

/** The file with this text after the edit. */
function edited(content: string, changed: Partial<InittabSettings> = {}): string {
  return contentOf(edit(treeWith({ [PATH]: text(content) }), changed).tree, PATH);
}

function message(content: string, changed: Partial<InittabSettings> = {}): string {
  return faultOf(() => edited(content, changed)).message;
}

const before = `\
# The cluster's init.
id:3:initdefault:
si::sysinit:/etc/rc.d/rc.sysinit

# For UML, comment out the DHCP daemon
dh:2345:respawn:/usr/sbin/dhcpd -f eth1

# Run gettys in standard runlevels
# For UML, use tty0 instead of tty1
1:2345:respawn:/sbin/mingetty tty1
#1:2345:respawn:/sbin/mingetty tty0
2:2345:respawn:/sbin/mingetty tty2
`;
const after = before
  .replace('dh:2345', '#dh:2345')
  .replace('1:2345:respawn:/sbin/mingetty tty1\n#1', '#1:2345:respawn:/sbin/mingetty tty1\n1');

describe('the inittab of the cluster', () => {
  test('loses the DHCP daemon and gets its getty on tty0', async () => {
    const attributes = { mode: 0o640, uid: 5, gid: 6, xattrs: new Map([['user.x', Buffer.from('1')]]) };
    const base = treeWith({ [PATH]: text(before, attributes) });
    const { tree, report } = edit(base);
    expect(contentOf(tree, PATH)).toBe(after);
    expect(tree.get(PATH)).toMatchObject({ ...attributes, mtime: NOW, size: before.length + 1 });
    expect(tree.get('/etc')?.mtime).toEqual(NOW);
    expect(shortly(report)).toEqual([
      `commented out: ${PATH} line 6 #dh:2345:respawn:/usr/sbin/dhcpd -f eth1`,
      `commented out: ${PATH} line 10 #1:2345:respawn:/sbin/mingetty tty1`,
      `uncommented: ${PATH} line 11 1:2345:respawn:/sbin/mingetty tty0`,
    ]);
    expect(contentOf(base, PATH)).toBe(before);
    const again = edit(tree);
    expect(await differencesOf(tree, again.tree)).toEqual([]);
    expect(shortly(again.report)).toEqual([`already done: ${PATH} dhcpd`, `already done: ${PATH} getty`]);
  });

  test('comes back with the opposite settings', () => {
    expect(edited(after, { dhcpd: true, getty: 'tty1' })).toBe(before);
    expect(edited(before, { dhcpd: true, getty: '/dev/tty1' })).toBe(before);
  });

  test('keeps every other byte: line ends, no newline at the end, bytes that are no text', () => {
    const raw = (file: string): string => edited(file);
    expect(raw(before.replaceAll('\n', '\r\n'))).toBe(after.replaceAll('\n', '\r\n'));
    expect(raw(before.slice(0, -1))).toBe(after.slice(0, -1));
    const bytes = Buffer.concat([Buffer.from([0x23, 0xff, 0x00, 0x80, 0x0a]), Buffer.from(before)]);
    const node = { ...text(''), size: bytes.length, content: { kind: 'inline' as const, bytes } };
    const { tree } = edit(treeWith({ [PATH]: node }));
    expect(contentOf(tree, PATH)).toBe(`#\xff\0\x80\n${after}`);
  });

  test.each([
    [
      'markers the other way round, in other words and cases',
      '#  for  uml: a getty on the console\n1:2:respawn:/sbin/mingetty tty1\n#  1:2:respawn:/sbin/mingetty tty0\n# FOR UML\nd:2:once:/usr/sbin/dhcpd\n',
      '#  for  uml: a getty on the console\n#1:2:respawn:/sbin/mingetty tty1\n1:2:respawn:/sbin/mingetty tty0\n# FOR UML\n#d:2:once:/usr/sbin/dhcpd\n',
    ],
    [
      'one marker for both, with a longer comment and a blank line before the entries',
      '# For UML change the\n# following lines.\n\nd:2:once:/etc/rc.d/init.d/dhcpd start\n1:2:respawn:/sbin/getty 38400 tty1\n#1:2:respawn:/sbin/getty 38400 tty0\n',
      '# For UML change the\n# following lines.\n\n#d:2:once:/etc/rc.d/init.d/dhcpd start\n#1:2:respawn:/sbin/getty 38400 tty1\n1:2:respawn:/sbin/getty 38400 tty0\n',
    ],
    [
      'no line for tty0: the one for tty1 is changed',
      '# For UML\nd:2:once:dhcpd\n1:2:respawn:/sbin/agetty tty1 9600 linux\n',
      '# For UML\n#d:2:once:dhcpd\n1:2:respawn:/sbin/agetty tty0 9600 linux\n',
    ],
    [
      'the marker between the two lines of the getty',
      'd:2:once:dhcpd # For UML: off\n\n1:2:respawn:mingetty tty1\n# For UML:\n#1:2:respawn:mingetty tty0\n',
      '#d:2:once:dhcpd # For UML: off\n\n#1:2:respawn:mingetty tty1\n# For UML:\n1:2:respawn:mingetty tty0\n',
    ],
    [
      'markers at the end of the lines, which init would hand on',
      'd:2:once:dhcpd # For UML: off\n1:2:respawn:mingetty tty1\n#1:2:respawn:mingetty tty0   # For UML: on\n',
      '#d:2:once:dhcpd # For UML: off\n#1:2:respawn:mingetty tty1\n# For UML: on\n1:2:respawn:mingetty tty0\n',
    ],
    [
      'both gettys running: that on tty1 goes',
      '# For UML\nd:2:once:dhcpd\n1:2:respawn:mingetty tty1\n0:2:respawn:mingetty tty0\n',
      '# For UML\n#d:2:once:dhcpd\n#1:2:respawn:mingetty tty1\n0:2:respawn:mingetty tty0\n',
    ],
    [
      'lines that no marker speaks of stay',
      '# For UML\nd:2:once:dhcpd\n1:2:respawn:mingetty tty1\n# Others\ne:2:once:dhcpd -4\n\nf:2:once:dhcpd -6\n',
      '# For UML\n#d:2:once:dhcpd\n1:2:respawn:mingetty tty0\n# Others\ne:2:once:dhcpd -4\n\nf:2:once:dhcpd -6\n',
    ],
  ])('is understood with %s', (_, from, to) => {
    expect(edited(from)).toBe(to);
    expect(edited(to)).toBe(to);
  });

  test('gets its getty on any terminal', () => {
    expect(edited(before, { getty: 'ttyS0' })).toBe(
      after.replace(
        '#1:2345:respawn:/sbin/mingetty tty1\n1:2345:respawn:/sbin/mingetty tty0',
        '1:2345:respawn:/sbin/mingetty ttyS0\n#1:2345:respawn:/sbin/mingetty tty0',
      ),
    );
    for (const getty of ['', 'tty0\nx:2:once:evil', 'a b', '$&']) {
      expect(message(before, { getty })).toContain('configure.inittab.getty');
    }
  });

  test('starts the daemon again only where its id is free', () => {
    const commented = '# For UML\n#d:2:once:dhcpd a\n#d:2:once:dhcpd b\n1:2:respawn:mingetty tty0\n';
    expect(edited(commented, { dhcpd: true })).toBe(
      commented.replace('#d:2:once:dhcpd a', 'd:2:once:dhcpd a'),
    );
    expect(message(`d:2:once:other\n${commented}`, { dhcpd: true })).toContain(
      'ids that others have already',
    );
    const elsewhere = 'd:2:once:dhcpd\n# For UML\n1:2:respawn:mingetty tty0\n';
    expect(edited(elsewhere, { dhcpd: true })).toBe(elsewhere);
  });

  test('with markers that can not be found shows the nearest lines', () => {
    const file = 'id:3:initdefault:\nd:2:once:/usr/sbin/dhcpd\n1:2:respawn:/sbin/mingetty\ttty1\x1b[2J\n';
    const error = faultOf(() => edited(file));
    expect(error.diagnostics).toHaveLength(1);
    expect(error.diagnostics[0]).toMatchObject({
      kind: 'image',
      location: { path: PATH, line: 2 },
      excerpt: ['   2 | d:2:once:/usr/sbin/dhcpd', '   3 | 1:2:respawn:/sbin/mingetty tty1\\x1b[2J'],
    });
    expect(error.message).toMatch(
      /^\/etc\/inittab\.ssi:2: error: there is no "For UML" in this file: no line that starts a DHCP daemon is marked, and no line that starts a getty on tty0 or tty1 is marked/,
    );
    expect(message(before.replace('dhcpd -f', 'other'))).toContain(
      'no line that starts a DHCP daemon is marked "For UML"',
    );
    expect(message('# For UML\nd:2:once:dhcpd\n')).toContain(
      'no line that starts a getty on tty0 or tty1 is marked "For UML"',
    );
    expect(message('# For UML\nd:2:once:dhcpd\n#1:2:respawn:mingetty tty1\n')).toContain(
      'no marked line starts a getty on tty1',
    );
    const long = message(`${'1:2:respawn:mingetty tty5 '.repeat(50)}\n`.repeat(30));
    expect(long).toContain('and 18 lines more');
    expect(Math.max(...long.split('\n').map((line) => line.length))).toBeLessThan(250);
  });

  test('is not changed at all when one of the two can not be done', () => {
    const base = treeWith({ [PATH]: text('# For UML\nd:2:once:dhcpd\n') });
    expect(() => edit(base)).toThrow('getty');
    expect(contentOf(base, PATH)).toBe('# For UML\nd:2:once:dhcpd\n');
  });

  test('that is missing is named, with what makes it and what is there instead', () => {
    const missing = faultOf(() => edit(treeWith({ '/etc/inittab': text(''), '/etc/inittab.sso': text('') })));
    expect(missing.message).toContain('/etc/inittab.ssi: error: no such inittab in the root');
    expect(missing.message).toContain('The make rule of the cluster tools installs it');
    expect(missing.message).toContain(
      'There is /etc/inittab, /etc/inittab.sso. Did you mean /etc/inittab.sso?',
    );
    expect(faultOf(() => edit(treeWith({}))).message).toContain('no such inittab');
    expect(faultOf(() => edit(treeWith({}), { source: 'etc/inittab' })).message).toContain(
      'not an absolute path',
    );
    expect(faultOf(() => edit(treeWith({}), { source: '/etc/../x' })).message).toContain(
      'configure.inittab.source',
    );
    expect(faultOf(() => edit(treeWith({ [PATH]: 'directory' }))).message).toContain(
      'a directory where a file',
    );
    const huge = { ...text(''), size: 2 ** 50 };
    expect(faultOf(() => edit(treeWith({ [PATH]: huge }))).message).toContain('too many');
  });

  test('that is a further name of another file is parted from it', () => {
    const base = treeWith({ '/etc/inittab': text(before) }, { [PATH]: '/etc/inittab' });
    const { tree } = edit(base);
    expect(contentOf(tree, PATH)).toBe(after);
    expect(tree.get('/etc/inittab')).toBe(base.get('/etc/inittab'));
  });

  test('is edited where a symbolic link leads to, inside the root only', () => {
    const link = (target: string) => ({ ...plain, type: 'symlink' as const, target });
    const base = treeWith({
      [PATH]: link('../../../../usr/share/ssi/inittab'),
      '/usr/share/ssi/inittab': text(before),
    });
    const { tree, report } = edit(base);
    expect(tree.get(PATH)).toBe(base.get(PATH));
    expect(contentOf(tree, '/usr/share/ssi/inittab')).toBe(after);
    expect(report[0]?.path).toBe('/usr/share/ssi/inittab');
    expect(faultOf(() => edit(treeWith({ [PATH]: link('/gone') }))).message).toContain(
      'leads to something that is not there',
    );
    expect(faultOf(() => edit(treeWith({ [PATH]: link(PATH) }))).message).toContain('40 symbolic links');
  });

  test('never ends in anything but an edit or a clear error, and an edit is made once', () => {
    const entry = fc
      .tuple(
        fc.constantFrom('', '#', '# ', '##', ' '),
        fc.constantFrom(
          '1:2:respawn:mingetty tty0',
          '1:2:respawn:getty 9600 tty1 x',
          '2:2:respawn:getty /dev/tty1',
          'd:2:once:dhcpd',
          'e::x:/sbin/dhcpd -f',
        ),
        fc.constantFrom('', ' # for uml', '\r', '\xff'),
      )
      .map((parts) => parts.join(''));
    const line = fc.oneof(entry, fc.constantFrom('# For UML', '', ' ', '# other', '::', 'for uml:'));
    const rubbish = fc.string({ unit: fc.constantFrom('#', ' ', ':', '\n', '\0', 'a', 'tty0') });
    const piece = fc.oneof({ arbitrary: line, weight: 20 }, { arbitrary: rubbish, weight: 1 });
    let edits = 0;
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), fc.boolean(), (pieces, dhcpd) => {
        const content = Buffer.from(pieces.join('\n'), 'latin1');
        const node = {
          ...text(''),
          size: content.length,
          content: { kind: 'inline' as const, bytes: content },
        };
        let first: string;
        try {
          first = contentOf(edit(treeWith({ [PATH]: node }), { dhcpd }).tree, PATH);
        } catch (error) {
          faultOf(() => {
            throw error;
          });
          return;
        }
        edits += 1;
        const bytes = Buffer.from(first, 'latin1');
        const second = { ...node, size: bytes.length, content: { kind: 'inline' as const, bytes } };
        expect(contentOf(edit(treeWith({ [PATH]: second }), { dhcpd }).tree, PATH)).toBe(first);
      }),
      { numRuns: 3000 },
    );
    expect(edits).toBeGreaterThan(300);
  });

  test('of a hostile base costs no more than its length', () => {
    const started = performance.now();
    for (const unit of ['#', ' ', 'for ', '# For UML #', ':', 'a:', '\n', '\r', '#a:b:c:', '\t#'])
      message(unit.repeat(Math.floor(1_000_000 / unit.length)));
    expect(performance.now() - started).toBeLessThan(10_000);
  });
});
