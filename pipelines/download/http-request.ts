import { redactUrl, requestTarget } from './redact-url.js';
import { TransferFault } from './transfer-fault.js';
import type { Watchdog } from './watchdog.js';

/** As many as fetch itself and browsers follow. */
const REDIRECTS = 20;

const redirectStatuses = new Set([301, 302, 303, 307, 308]);

export interface RequestOptions {
  readonly shown: string;
  readonly responseTimeout: number;
  readonly userAgent: string;
  /** Called before every request, redirects included. */
  onRequest(url: URL): void;
}

/**
 * Asks for a file and follows redirects. Not left to fetch, which would go from https to http, and does not take a
 * user and a password from a URL. Those go to the host they were given for only. Throws as `Watchdog.within`, and a
 * TransferFault on a redirect that leads nowhere.
 */
export async function fetchFollowing(
  start: URL,
  range: Readonly<Record<string, string>> | undefined,
  watchdog: Watchdog,
  options: RequestOptions,
): Promise<Response> {
  let current = start;
  for (let redirects = 0; redirects <= REDIRECTS; redirects++) {
    const { url, authorization } = requestTarget(current);
    options.onRequest(url);
    const answer = await watchdog.within(options.responseTimeout, options.shown, () =>
      fetch(url, {
        redirect: 'manual',
        signal: watchdog.signal,
        headers: {
          accept: '*/*',
          // A file is to arrive as it lies on the server: a digest is of those bytes.
          'accept-encoding': 'identity',
          'user-agent': options.userAgent,
          ...range,
          ...(authorization === undefined ? {} : { authorization }),
        },
      }),
    );
    if (!redirectStatuses.has(answer.status)) return answer;
    const next = redirectTarget(answer, current, options.shown);
    // Frees the connection; that it may fail is of no interest.
    await answer.body?.cancel().catch(() => {});
    current = next;
  }
  throw new TransferFault(options.shown, `more than ${REDIRECTS} redirects`, {
    hint: 'The server sends us in circles: use another URL.',
  });
}

function redirectTarget(answer: Response, from: URL, shown: string): URL {
  const location = answer.headers.get('location');
  let next: URL;
  try {
    if (location === null) throw new Error('no Location');
    next = new URL(location, requestTarget(from).url);
  } catch {
    throw new TransferFault(shown, `the server answered ${answer.status} with no usable Location`);
  }
  const secure = from.protocol === 'https:';
  if (next.protocol !== 'https:' && (secure || next.protocol !== 'http:'))
    throw new TransferFault(
      shown,
      `the server redirects to ${redactUrl(next)}, which is not safe to follow`,
      {
        hint: 'Use another URL; if you trust that one, name it in the recipe, with its sha256.',
      },
    );
  if (next.origin === from.origin && next.username === '' && next.password === '') {
    next.username = from.username;
    next.password = from.password;
  }
  return next;
}
