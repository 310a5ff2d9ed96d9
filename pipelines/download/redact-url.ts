/** Longest URL that messages show; the rest of a longer one says nothing to a reader. */
const SHOWN_CHARACTERS = 500;

/** Query parameters whose values open doors: tokens, keys and signatures of storage services. */
const secretParameter =
  /([?&][^=&#]*(?:token|secret|passw|signature|credential|apikey|api_key|access_key|auth|\bsig\b|\bkey\b)[^=&#]*=)[^&#]*/gi;

/** A URL as it may be shown, recorded and logged: without user, password, fragment and secret parameters. */
export function redactUrl(url: string | URL): string {
  return withoutSecrets(url.toString()).replace(secretParameter, '$1***').slice(0, SHOWN_CHARACTERS);
}

function withoutSecrets(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  // Not a URL that has a user and a password in the usual place: whatever stands before the last @ goes.
  if (url === undefined || !['http:', 'https:', 'file:'].includes(url.protocol))
    return text.replace(/^([a-z][a-z\d+.-]*:\/\/)?.*@/is, '$1***@');
  if (url.username !== '' || url.password !== '') {
    url.username = '***';
    url.password = '';
  }
  url.hash = '';
  return url.href;
}

/** A URL as it is requested, and what its user and password become: the value of an `Authorization` header. */
export interface RequestTarget {
  readonly url: URL;
  /** HTTP basic authentication (RFC 7617) with UTF-8. */
  readonly authorization?: string;
}

/** Takes user and password out of a URL. fetch refuses URLs that hold them. */
export function requestTarget(url: URL): RequestTarget {
  const bare = new URL(url);
  bare.username = '';
  bare.password = '';
  bare.hash = '';
  if (url.username === '' && url.password === '') return { url: bare };
  const pair = `${decoded(url.username)}:${decoded(url.password)}`;
  return { url: bare, authorization: `Basic ${Buffer.from(pair, 'utf8').toString('base64')}` };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
