import { byteString, byteStringFromText } from '../../images/bytes/byte-string.js';
import { imageError } from '../../images/diagnostic.js';
import { EMPTY_CONTENT } from '../../images/tree/content.js';
import type { ConfigureSettings } from '../recipe/recipe.js';
import type { ConfigureContext } from './context.js';
import { reasonOf } from './place.js';
import type { RootEditor } from './root-editor.js';
import { readSmallFile, writeSmallFile } from './small-file.js';

const PATH = '/etc/hosts';
const LOCALHOST = '127.0.0.1\tlocalhost\n';
const COMMENT = '# The nodes of the cluster\n';

/** Adds the nodes to hosts(5), so that they know each other by name. A name that is there already keeps its line. */
export function addHosts(
  root: RootEditor,
  { hosts }: ConfigureSettings['network'],
  { nodes }: ConfigureContext,
): void {
  if (!hosts) return;
  const place = root.find(byteStringFromText(PATH), true);
  if (place.kind === 'dangling' || place.kind === 'obstructed')
    throw imageError({ path: PATH }, `the nodes can't be added: ${reasonOf(place)}`);
  if (place.kind === 'absent') root.makeDirectories('/etc');
  const file =
    place.kind === 'found'
      ? readSmallFile(place)
      : {
          path: place.path,
          text: byteStringFromText(LOCALHOST),
          node: {
            type: 'file' as const,
            mode: 0o644,
            uid: 0,
            gid: 0,
            mtime: root.mtime,
            size: 0,
            content: EMPTY_CONTENT,
          },
        };
  const known = new Set(
    file.text.split('\n').flatMap((line) => (/^[^#]*/.exec(line)?.[0] ?? '').split(/\s+/).slice(1)),
  );
  const missing = nodes.filter(({ name }) => !known.has(name));
  if (missing.length === 0) {
    root.note('network', file.path, 'already done', { detail: 'hosts' });
    return;
  }
  const before = file.text === '' || file.text.endsWith('\n') ? file.text : `${file.text}\n`;
  const lines = missing.map(({ name, address }) => `${address}\t${name}\n`).join('');
  writeSmallFile(root, file, byteString(Buffer.from(`${before}${COMMENT}${lines}`, 'latin1')));
  root.note('network', file.path, place.kind === 'found' ? 'changed' : 'added', {
    detail: `${missing.length} nodes`,
  });
}
