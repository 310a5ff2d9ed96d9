import { DiagnosticError } from '../../images/diagnostic.js';
import { ExcessWatch } from './excess-body.js';
import { fetchFollowing } from './http-request.js';
import { HEADER_DATE, type Origin, type PartialFile, STRONG_ETAG } from './partial-file.js';
import { TransferFault } from './transfer-fault.js';
import { Watchdog } from './watchdog.js';

export interface TransferOptions {
  /** The URL as messages, progress and the sidecar have it. */
  readonly shown: string;
  /** Whether a pinned digest will judge the bytes: then any server may go on where another left off. */
  readonly pinned: boolean;
  readonly maxBytes: number;
  /** Milliseconds until the headers of an answer must be there. */
  readonly responseTimeout: number;
  /** Milliseconds without a byte after which a body is given up. */
  readonly idleTimeout: number;
  readonly userAgent: string;
  readonly signal?: AbortSignal | undefined;
  /** Called as bytes arrive. */
  onBytes(received: number, total?: number): void;
}

/**
 * One attempt: asks a server for what is missing of a file (RFC 9110 §14), or for all of it, and puts it into
 * `partial`. Returns when the file is complete as far as the server says. Throws a TransferFault on anything that is
 * wrong with the server or the connection, with all bytes that can be trusted in `partial`, and a DiagnosticError
 * when the disk fails or the signal ends it.
 */
export async function transfer(url: URL, partial: PartialFile, options: TransferOptions): Promise<void> {
  const watchdog = new Watchdog(options.signal);
  const excess = new ExcessWatch();
  try {
    const range = rangeHeaders(partial, options);
    const answer = await fetchFollowing(url, range, watchdog, {
      ...options,
      onRequest: (requested) => excess.expect(requested),
    });
    const expected = await accept(answer, range !== undefined, partial, options);
    if (expected === 'complete') return;
    options.onBytes(partial.length, expected.total);
    await receive(answer, expected, partial, watchdog, options);
    if (!options.pinned && (await excess.found()))
      throw await discarded(partial, options, 'the server sent more bytes than it announced');
  } finally {
    watchdog.end();
    excess.stop();
  }
}

/** What an answer leads to, in bytes from the beginning of the file. */
interface Expected {
  /** The whole file, if known. */
  readonly total: number | undefined;
  /** Where the body of this answer ends, if known. */
  readonly end: number | undefined;
}

/** The headers that ask for what is missing; undefined when what is there can't be built upon. */
function rangeHeaders(partial: PartialFile, options: TransferOptions): Record<string, string> | undefined {
  const { origin, length } = partial;
  if (origin === undefined || length === 0) return undefined;
  const range = { range: `bytes=${length}-` };
  const validator = origin.url === options.shown ? (origin.etag ?? origin.lastModified) : undefined;
  if (validator !== undefined) return { ...range, 'if-range': validator };
  // Nothing proves that the server still has, or this mirror ever had, the same file; but the digest will tell.
  return options.pinned ? range : undefined;
}

/**
 * Judges the status and headers of an answer and brings `partial` to where its body goes on. Returns what that
 * leads to, or 'complete' when nothing is missing.
 */
async function accept(
  answer: Response,
  ranged: boolean,
  partial: PartialFile,
  options: TransferOptions,
): Promise<Expected | 'complete'> {
  if (answer.status === 416 && ranged) return acceptUnsatisfiable(answer, partial, options);
  if (answer.status !== 200 && answer.status !== 206) throw statusFault(answer, options.shown);
  refuseEncoded(answer, options.shown);
  if (answer.status === 206) {
    if (!ranged)
      throw new TransferFault(options.shown, 'the server sent a part of the file without being asked');
    return acceptPart(answer, partial, options);
  }
  const total = contentLength(answer);
  checkSize(total ?? 0, options);
  await partial.restart(originOf(answer, total, options.shown));
  return { total, end: total };
}

async function acceptPart(
  answer: Response,
  partial: PartialFile,
  options: TransferOptions,
): Promise<Expected> {
  const refuse = (reason: string): Promise<TransferFault> => discarded(partial, options, reason, true);
  const header = answer.headers.get('content-range') ?? '';
  const match = /^bytes (\d{1,15})-(\d{1,15})\/(\d{1,15}|\*)$/.exec(header);
  if (match === null) throw await refuse('the server sent a part of the file without saying which');
  const [start, end] = [Number(match[1]), Number(match[2])];
  const known = partial.origin?.total;
  const total = match[3] === '*' ? known : Number(match[3]);
  if (start !== partial.length || end < start || (total !== undefined && end >= total))
    throw await refuse(`the server sent another part of the file (${header}) than byte ${partial.length} on`);
  if (known !== undefined && total !== known)
    throw await refuse(`the file has changed on the server: it had ${known} bytes and has ${total} now`);
  const length = contentLength(answer);
  if (length !== undefined && length !== end - start + 1)
    throw await refuse(`the server announced ${length} bytes for the part ${header}`);
  // Bytes of two mirrors belong together only by the word of a digest: such a file has no validators.
  const same = partial.origin?.url === options.shown ? partial.origin : undefined;
  if (contradicts(answer, 'etag', same?.etag) || contradicts(answer, 'last-modified', same?.lastModified))
    throw await refuse('the file has changed on the server');
  checkSize(total ?? end + 1, options);
  await partial.resume({ ...(same ?? { url: options.shown }), ...(total === undefined ? {} : { total }) });
  return { total, end: end + 1 };
}

/** There are servers that know Range but not If-Range. */
function contradicts({ headers }: Response, name: string, recorded: string | undefined): boolean {
  const value = headers.get(name);
  return recorded !== undefined && value !== null && value !== recorded;
}

/** 416: there is nothing behind what we have. Either that is all, or it is not this file. */
async function acceptUnsatisfiable(
  answer: Response,
  partial: PartialFile,
  options: TransferOptions,
): Promise<'complete'> {
  const total = /^bytes \*\/(\d{1,15})$/.exec(answer.headers.get('content-range') ?? '')?.[1];
  // With a pinned digest we would not have asked if these were the right bytes.
  const all = !options.pinned && partial.origin?.total === partial.length;
  if (all && total !== undefined && Number(total) === partial.length) return 'complete';
  throw await discarded(partial, options, 'what is here of the file does not belong to it any more', true);
}

async function receive(
  answer: Response,
  { total, end }: Expected,
  partial: PartialFile,
  watchdog: Watchdog,
  options: TransferOptions,
): Promise<void> {
  const reader = answer.body?.getReader();
  while (reader !== undefined) {
    const { done, value } = await watchdog.within(options.idleTimeout, options.shown, () => reader.read());
    if (done) break;
    if (!(value instanceof Uint8Array)) throw new TransferFault(options.shown, 'the body is not bytes');
    const length = partial.length + value.length;
    if (end !== undefined && length > end)
      throw await discarded(partial, options, 'the server sent more bytes than it announced');
    if (length > options.maxBytes) await partial.restart();
    checkSize(length, options);
    await partial.append(value);
    options.onBytes(partial.length, total);
    if (options.signal?.aborted === true)
      throw new DiagnosticError({ kind: 'interrupted', message: 'interrupted' });
  }
  if (total === undefined || partial.length === total) return;
  throw new TransferFault(options.shown, `the connection ended after ${partial.length} of ${total} bytes`, {
    retry: true,
  });
}

/** Empties the partial file: its bytes can't be trusted, or built upon. */
async function discarded(
  partial: PartialFile,
  { shown }: TransferOptions,
  reason: string,
  retry = false,
): Promise<TransferFault> {
  await partial.restart();
  return new TransferFault(shown, reason, { retry });
}

function checkSize(length: number, { maxBytes, shown }: TransferOptions): void {
  if (length <= maxBytes) return;
  throw new TransferFault(shown, `it is larger than ${maxBytes} bytes, the most that is accepted`, {
    hint: 'Look at what the URL leads to; a base image of that size cannot be used.',
  });
}

function contentLength(answer: Response): number | undefined {
  const header = answer.headers.get('content-length');
  return header !== null && /^\d{1,15}$/.test(header) ? Number(header) : undefined;
}

/** fetch undoes a Content-Encoding by itself, and nobody could say whether the file or only its way was encoded. */
function refuseEncoded({ headers }: Response, shown: string): void {
  const encoding = headers.get('content-encoding') ?? 'identity';
  const transferEncoding = headers.get('transfer-encoding') ?? 'chunked';
  for (const name of [encoding, transferEncoding]) {
    if (/^(identity|chunked|)$/i.test(name.trim())) continue;
    throw new TransferFault(
      shown,
      `the server sends it encoded (${name.slice(0, 40)}), though it was asked not to`,
      {
        hint: 'Use another URL, or get the file with another program and give its path with --set.',
      },
    );
  }
}

function originOf({ headers }: Response, total: number | undefined, url: string): Origin {
  const etag = headers.get('etag');
  const modified = headers.get('last-modified');
  const origin = { url, ...(total === undefined ? {} : { total }) };
  if (etag !== null) return STRONG_ETAG.test(etag) ? { ...origin, etag } : origin;
  if (modified === null || !HEADER_DATE.test(modified)) return origin;
  // RFC 9110 §8.8.2.2: a file that changed in the second of the answer may change again in that second.
  const age = Date.parse(headers.get('date') ?? '') - Date.parse(modified);
  return age >= 1000 ? { ...origin, lastModified: modified } : origin;
}

const retriedStatuses = new Set([408, 425, 429]);

const statusHints: Record<number, string> = {
  401: 'The server wants a user and a password: write them into the URL, as in http://user:password@host/.',
  403: 'The server does not give it to you; if it needs a password, write it into the URL.',
  404: 'Correct the URL in the recipe, or give a file that you have with --set.',
  410: 'Correct the URL in the recipe, or give a file that you have with --set.',
};

function statusFault(answer: Response, shown: string): TransferFault {
  const { status, statusText } = answer;
  const hint = statusHints[status];
  const wait = retryAfter(answer.headers.get('retry-after'));
  const patience = wait === undefined ? '' : `, and asks to wait ${Math.ceil(wait / 1000)} s`;
  return new TransferFault(
    shown,
    `the server answered ${status} ${statusText.slice(0, 80)}`.trim() + patience,
    {
      retry: retriedStatuses.has(status) || (status >= 500 && status <= 599),
      wait,
      ...(hint === undefined ? {} : { hint }),
    },
  );
}

/** Milliseconds: the header holds seconds or a date (RFC 9110 §10.2.3). */
function retryAfter(header: string | null): number | undefined {
  if (header === null) return undefined;
  if (/^\d{1,9}$/.test(header)) return Number(header) * 1000;
  const date = Date.parse(header);
  return Number.isNaN(date) ? undefined : Math.max(0, date - Date.now());
}
