import { usageError } from '../../../images/diagnostic.js';
import { FolderStore } from './folder-store.js';
import { HttpStore } from './http-store.js';
import type { ObjectStore } from './object-store.js';
import type { RemoteMode, RemoteSettings } from './remote-cache.js';
import { trustIn } from './signing.js';

/** How much of a build's time a remote cache may cost, in seconds, unless told: with what it takes to end, under 30. */
const PATIENCE_SECONDS = 25;

const MODES: readonly RemoteMode[] = ['read', 'write', 'readwrite'];

export interface RemoteWish {
  /** An http(s) URL or a folder. */
  readonly place?: string;
  readonly mode?: string;
  /** Seconds. */
  readonly patience?: number;
}

/**
 * The remote cache that the options or the environment name; undefined where neither does. Credentials and keys are only
 * in the environment. Throws a DiagnosticError when that makes no sense.
 */
export function remoteSettings(
  wish: RemoteWish,
  environment: NodeJS.ProcessEnv = process.env,
): RemoteSettings | undefined {
  const place = wish.place ?? environment.SSI_IMAGES_REMOTE_CACHE ?? '';
  if (place === '') {
    if (wish.mode !== undefined) throw usageError('--remote-mode: there is no --remote-cache');
    return undefined;
  }
  const given = wish.mode ?? environment.SSI_IMAGES_REMOTE_MODE;
  const mode = given === undefined || given === '' ? 'readwrite' : MODES.find((known) => known === given);
  if (mode === undefined) throw usageError(`--remote-mode: "${given}" is none of ${MODES.join(', ')}`);
  return {
    store: openStore(place, environment),
    mode,
    trust: trustIn(environment),
    patience: (wish.patience ?? PATIENCE_SECONDS) * 1000,
  };
}

function openStore(place: string, environment: NodeJS.ProcessEnv): ObjectStore {
  if (!/^[a-z][a-z0-9+.-]*:\/\//i.test(place)) return new FolderStore(place);
  const authorization = authorizationIn(environment);
  return new HttpStore(place, authorization === undefined ? {} : { authorization });
}

function authorizationIn(environment: NodeJS.ProcessEnv): string | undefined {
  const token = environment.SSI_IMAGES_REMOTE_TOKEN ?? '';
  const user = environment.SSI_IMAGES_REMOTE_USER ?? '';
  const password = environment.SSI_IMAGES_REMOTE_PASSWORD ?? '';
  if (token !== '' && user !== '')
    throw usageError('SSI_IMAGES_REMOTE_TOKEN excludes SSI_IMAGES_REMOTE_USER', 'Set one of them.');
  if (token !== '') {
    if (!/^[\x21-\x7e]+$/.test(token)) throw usageError('SSI_IMAGES_REMOTE_TOKEN: it is no token');
    return `Bearer ${token}`;
  }
  return user === '' ? undefined : `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;
}
