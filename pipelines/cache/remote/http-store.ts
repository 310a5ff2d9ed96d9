import * as http from 'node:http';
import * as https from 'node:https';
import { usageError } from '../../../images/diagnostic.js';
import { OBJECT_BYTES_MAX, type ObjectKind, type ObjectStore, StoreFault } from './object-store.js';

/** Without a byte for so long, in milliseconds, a request is given up. */
const IDLE_MILLISECONDS = 4_000;

/** A request that is not done by then, in milliseconds, is given up, however many bytes trickle in. */
const REQUEST_MILLISECONDS = 12_000;

const BYTES = 'application/octet-stream';

/** Connections at once. */
const SOCKETS_MAX = 16;

export interface HttpStoreOptions {
  /** The value of the Authorization header. */
  readonly authorization?: string;
  /** Without a byte for so long, in milliseconds, a request is given up. */
  readonly idleMilliseconds?: number;
  /** A request that is not done by then is given up. */
  readonly requestMilliseconds?: number;
}

interface Answer {
  readonly status: number;
  readonly body: Buffer;
  readonly retryAfter: number | undefined;
}

/** A server that keeps files under their paths: nginx with WebDAV, bazel-remote, a bucket behind a proxy. */
export class HttpStore implements ObjectStore {
  readonly name: string;
  private readonly base: URL;
  private readonly agent: http.Agent;
  private readonly authorization: string | undefined;
  private readonly idle: number;
  private readonly longest: number;

  /** Throws a DiagnosticError when `url` can't be the one of a cache. */
  constructor(url: string, { authorization, idleMilliseconds, requestMilliseconds }: HttpStoreOptions = {}) {
    this.base = cacheUrl(url);
    this.name = this.base.href;
    const options = { keepAlive: true, maxSockets: SOCKETS_MAX, scheduling: 'lifo' as const };
    this.agent = this.base.protocol === 'https:' ? new https.Agent(options) : new http.Agent(options);
    this.authorization = authorization;
    this.idle = idleMilliseconds ?? IDLE_MILLISECONDS;
    this.longest = requestMilliseconds ?? REQUEST_MILLISECONDS;
  }

  async get(kind: ObjectKind, name: string, signal: AbortSignal): Promise<Buffer | undefined> {
    const { status, body } = await this.ask('GET', kind, name, undefined, signal);
    return status === 404 || status === 410 ? undefined : body;
  }

  async has(kind: ObjectKind, name: string, signal: AbortSignal): Promise<boolean> {
    const { status } = await this.ask('HEAD', kind, name, undefined, signal);
    return status !== 404 && status !== 410;
  }

  async put(kind: ObjectKind, name: string, bytes: Uint8Array, signal: AbortSignal): Promise<void> {
    const { status } = await this.ask('PUT', kind, name, bytes, signal);
    if (status === 404 || status === 410)
      throw new StoreFault('lasting', `it answers ${status} to a PUT: it takes no files there`);
  }

  close(): void {
    this.agent.destroy();
  }

  private async ask(
    method: string,
    kind: ObjectKind,
    name: string,
    body: Uint8Array | undefined,
    signal: AbortSignal,
  ): Promise<Answer> {
    const answer = await this.exchange(method, new URL(`${kind}/${name}`, this.base), body, signal);
    const { status } = answer;
    if ((status >= 200 && status < 300 && status !== 206) || status === 404 || status === 410) return answer;
    const message = `it answers ${status} ${http.STATUS_CODES[status] ?? ''}`.trimEnd();
    if (status === 401 || status === 403 || status === 405) throw new StoreFault('denied', message);
    const isPassing = status === 408 || status === 429 || (status >= 500 && status !== 501 && status !== 507);
    throw new StoreFault(isPassing ? 'passing' : 'lasting', message, answer.retryAfter);
  }

  private exchange(
    method: string,
    url: URL,
    body: Uint8Array | undefined,
    signal: AbortSignal,
  ): Promise<Answer> {
    return new Promise<Answer>((resolve, reject) => {
      const client = url.protocol === 'https:' ? https : http;
      const authorization = this.authorization === undefined ? {} : { authorization: this.authorization };
      const about = body === undefined ? {} : { 'content-length': body.length, 'content-type': BYTES };
      const request = client.request(url, {
        method,
        agent: this.agent,
        headers: { ...authorization, ...about },
      });
      const end = (): void => {
        clearTimeout(timer);
        signal.removeEventListener('abort', giveUp);
      };
      const fail = (error: Error): void => {
        end();
        reject(error instanceof StoreFault ? error : new StoreFault('passing', reasonOf(error)));
        request.destroy();
      };
      const giveUp = (): void => fail(new StoreFault('passing', 'it takes too long'));
      const timer = setTimeout(giveUp, this.longest);
      signal.addEventListener('abort', giveUp);
      request.setTimeout(this.idle, giveUp);
      request.on('error', fail);
      request.on('response', (response) => {
        response.on('error', fail);
        readAnswer(response).then((answer) => {
          end();
          resolve(answer);
        }, fail);
      });
      if (signal.aborted) giveUp();
      else request.end(body);
    });
  }
}

/** Throws a StoreFault when it is too long, or does not come whole. */
async function readAnswer(response: http.IncomingMessage): Promise<Answer> {
  const parts: Buffer[] = [];
  let length = 0;
  for await (const part of response as AsyncIterable<Buffer>) {
    length += part.length;
    if (length > OBJECT_BYTES_MAX) throw new StoreFault('lasting', 'it sends more than any object has');
    parts.push(part);
  }
  if (!response.complete) throw new StoreFault('passing', 'it ended in the middle of an answer');
  return {
    status: response.statusCode ?? 0,
    body: Buffer.concat(parts),
    retryAfter: waitOf(response.headers['retry-after']),
  };
}

function cacheUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !['http:', 'https:'].includes(url.protocol))
    throw usageError(`--remote-cache: "${text}" is neither an http(s) URL nor a folder`);
  if (url.username !== '' || url.password !== '')
    throw usageError(
      '--remote-cache: credentials do not belong in the URL, where every log shows them',
      'Set SSI_IMAGES_REMOTE_TOKEN, or SSI_IMAGES_REMOTE_USER and SSI_IMAGES_REMOTE_PASSWORD.',
    );
  if (url.search !== '' || url.hash !== '')
    throw usageError('--remote-cache: a URL with ? or # can not be a cache');
  if (!url.pathname.endsWith('/')) url.pathname += '/';
  return url;
}

/** The header in milliseconds; undefined when it is none, or a date. */
function waitOf(header: string | undefined): number | undefined {
  const seconds = Number(header ?? 'none');
  return Number.isFinite(seconds) && seconds >= 0 ? seconds * 1000 : undefined;
}

/** Why a connection failed, without the address: that is in the name of the store. */
function reasonOf(error: Error): string {
  const code = 'code' in error && typeof error.code === 'string' ? error.code : error.name;
  const known: Record<string, string> = {
    ECONNREFUSED: 'nothing listens there',
    ECONNRESET: 'it broke the connection',
    ENOTFOUND: 'no host has that name',
    EAI_AGAIN: 'its name can not be looked up just now',
    ETIMEDOUT: 'it does not answer',
    EHOSTUNREACH: 'no way leads there',
    ENETUNREACH: 'no way leads there',
    ABORT_ERR: 'it takes too long',
    TimeoutError: 'it takes too long',
  };
  return known[code] ?? `the connection failed (${code})`;
}
