import { byteStringFromText, textFromByteString } from '../../images/bytes/byte-string.js';
import { imageError } from '../../images/diagnostic.js';
import type { ConfigureSettings, RecipePath } from '../recipe/recipe.js';
import type { ConfigureContext } from './context.js';
import { faultOfPath } from './place.js';
import type { ReportLine } from './report.js';
import type { RootEditor } from './root-editor.js';

/**
 * HOWTO 5.6: drops start links of services, such as `rc3.d/S25netfs`, so that the cluster boots quicker. Only the name
 * goes, whatever it points to; a runlevel directory that is itself reached through a link is followed.
 */
export function removeServices(
  root: RootEditor,
  { rcDirectory, removeServices: links }: Pick<ConfigureSettings, 'rcDirectory' | 'removeServices'>,
  context: ConfigureContext,
): void {
  for (const [index, link] of links.entries()) {
    const at = ['configure', 'removeServices', index];
    if (link.startsWith('/')) {
      throw context.faultAt(
        at,
        `"${link}" is not relative to ${rcDirectory}`,
        'Write it like rc3.d/S25netfs.',
      );
    }
    removeName(root, 'remove-services', `${rcDirectory}/${link}`, at, context, (path) =>
      imageError(
        { path },
        'this is a directory, and no start link of a service',
        'To remove a directory, name it under "remove".',
      ),
    );
  }
}

/** Removes paths with everything below them; of a symbolic link the link itself. */
export function removePaths(
  root: RootEditor,
  { remove: paths }: Pick<ConfigureSettings, 'remove'>,
  context: ConfigureContext,
): void {
  for (const [index, path] of paths.entries()) {
    removeName(root, 'remove', path, ['configure', 'remove', index], context);
  }
}

function removeName(
  root: RootEditor,
  step: ReportLine['step'],
  text: string,
  at: RecipePath,
  context: ConfigureContext,
  refuseDirectory?: (path: string) => Error,
): void {
  const path = byteStringFromText(text);
  const fault = faultOfPath(path);
  if (fault !== undefined) throw context.faultAt(at, `"${text}" can't be removed: it is ${fault}`);
  const place = root.find(path);
  if (place.kind !== 'found') {
    root.note(step, place.kind === 'absent' ? place.path : path, 'not there');
    return;
  }
  if (place.path === '/') throw context.faultAt(at, 'the root directory itself can not be removed');
  if (refuseDirectory !== undefined && place.node.type === 'directory') {
    throw refuseDirectory(textFromByteString(place.path));
  }
  root.remove(place.path);
  root.note(step, place.path, 'removed');
}
