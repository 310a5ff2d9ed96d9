import { constants } from 'node:fs';
import { access, lstat, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { readableHostError, systemErrorCode } from '../../images/bytes/host-error.js';
import { type Diagnostic, DiagnosticError, hostError } from '../../images/diagnostic.js';
import { copyLocal } from './file-copy.js';
import { transfer } from './http-transfer.js';
import { PartialFile } from './partial-file.js';
import { redactUrl } from './redact-url.js';
import { TransferFault } from './transfer-fault.js';

export interface DownloadRequest {
  /** http:, https: or file: URLs of the same bytes, in the order to try them. */
  readonly urls: readonly string[];
  /** What the bytes must be, in hexadecimal. */
  readonly sha256?: string | undefined;
}

export interface DownloadProgress {
  /** Bytes that are there, those of earlier runs included. */
  readonly received: number;
  /** Bytes of the whole file, when the server says it. */
  readonly total?: number;
  /** Where they come from, without secrets. */
  readonly url: string;
}

export interface DownloadOptions {
  /** Final path, where nothing must be yet. The file appears there complete, by a rename, or not at all. */
  readonly destination: string;
  /**
   * Path of the unfinished file, on the same filesystem. It and `PATH.json` stay after an interruption or a failure
   * that a later call can build upon. One call at a time may use it.
   */
  readonly partial: string;
  /** Uses file: URLs and what is complete already; for anything else an error says what is needed. */
  readonly offline?: boolean;
  readonly signal?: AbortSignal | undefined;
  /** Called ten times a second at most, and at the end. */
  readonly onProgress?: (progress: DownloadProgress) => void;
  /** Told of each fault that did not end the download: it is tried again, or the next URL is. */
  readonly onFault?: (fault: Diagnostic) => void;
  /** Milliseconds: `response` until the headers of an answer are there, `idle` without a byte of a body; 30 s both. */
  readonly timeouts?: { readonly response?: number; readonly idle?: number };
  /** How often a server is asked again in a row without getting on; 5 by default. */
  readonly retries?: number;
  /** Bytes above which a file is refused; 64 GiB by default. */
  readonly maxBytes?: number;
  readonly userAgent?: string;
  /** Waits between attempts. For tests. */
  readonly sleep?: (milliseconds: number, signal?: AbortSignal) => Promise<void>;
}

export interface Downloaded {
  readonly sha256: string;
  /** Bytes. */
  readonly size: number;
  /** The URL that gave the (last) bytes, without secrets. */
  readonly url: string;
  /** Bytes that an earlier call had left in the partial file and that were used. */
  readonly resumedFrom: number;
}

const GIB = 1024 ** 3;
const PROGRESS_MILLISECONDS = 100;

/** The pause after the first failure; it doubles with every further one. */
const FIRST_PAUSE = 1000;
const LONGEST_PAUSE = 30_000;

/** A server that asks for more patience than this, in milliseconds, is given up for now. */
const LONGEST_RETRY_AFTER = 120_000;

/** A failure after so many new bytes begins the count of failures anew: a long way has many breaks. */
const WORTHWHILE_BYTES = 1024 * 1024;

/** What a file must begin with to be a web page; a byte order mark, spaces or an XML declaration may stand before. */
const WEB_PAGE = /^(?:\xef\xbb\xbf)?\s*(?:<\?xml[^>]*>\s*)?<(?:!doctype\s+html|html)[\s>]/i;

/**
 * Gets a file from the first of several URLs that has it, verifies its SHA-256 when that is pinned, and goes on where
 * an earlier call was interrupted, killed or cut off. Without a pinned digest it goes on only if the server proves
 * with a strong ETag or Last-Modified that the file is still the same. User and password in a URL are sent as basic
 * authentication and shown nowhere. Proxies of the environment are not used.
 *
 * Throws a DiagnosticError: of kind `interrupted` after the signal, else of kind `host`, with one diagnostic for each
 * URL that failed. Bytes that are wrong are not kept.
 */
export async function download(request: DownloadRequest, options: DownloadOptions): Promise<Downloaded> {
  const pinned = request.sha256?.toLowerCase();
  const mirrors = request.urls.map(mirrorOf);
  const [first] = mirrors;
  if (first === undefined) throw hostError('there is no URL to download from', 'Name one in the recipe.');
  if (pinned !== undefined && !/^[0-9a-f]{64}$/.test(pinned))
    throw hostError(`cannot download ${first.shown}: its sha256 is not 64 hexadecimal digits`, 'Correct it.');
  try {
    await checkPaths(options);
    const partial = await PartialFile.open(options.partial, options.signal);
    try {
      const job: Job = { partial, pinned, options, report: progressReporter(options) };
      return await fromAny(mirrors, job);
    } finally {
      await partial.close();
    }
  } catch (error) {
    throw namingUrl(error, first.shown);
  }
}

interface Mirror {
  readonly url: URL;
  /** Without secrets. */
  readonly shown: string;
}

interface Job {
  readonly partial: PartialFile;
  readonly pinned: string | undefined;
  readonly options: DownloadOptions;
  report(progress: DownloadProgress, last?: boolean): void;
}

function mirrorOf(text: string): Mirror {
  const shown = redactUrl(text);
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url !== undefined && ['http:', 'https:', 'file:'].includes(url.protocol)) return { url, shown };
  throw hostError(
    `cannot download ${shown}: it is not an http:, https: or file: URL`,
    'Correct it in the recipe.',
  );
}

/** What would make the last step fail is better known before the first. */
async function checkPaths({ destination, partial }: DownloadOptions): Promise<void> {
  await refuseExisting(destination);
  if ((await writableFolder(destination)) === (await writableFolder(partial))) return;
  throw hostError(
    `it is on another filesystem than ${partial}`,
    'Both paths must be on one filesystem, so that the complete file can be renamed.',
    { file: destination },
  );
}

/** The device on which the folder of a path lies. */
async function writableFolder(path: string): Promise<number> {
  try {
    const folder = dirname(path);
    await access(folder, constants.W_OK);
    return (await stat(folder)).dev;
  } catch (cause) {
    throw readableHostError(cause, path);
  }
}

async function refuseExisting(destination: string): Promise<void> {
  try {
    await lstat(destination);
  } catch (cause) {
    if (systemErrorCode(cause) === 'ENOENT') return;
    throw readableHostError(cause, destination);
  }
  throw hostError('it exists already', 'Remove it first, or choose another name.', { file: destination });
}

async function fromAny(mirrors: readonly Mirror[], job: Job): Promise<Downloaded> {
  const { partial, pinned, options } = job;
  // A call that was killed between the last byte and the rename needs no server.
  if (partial.origin !== undefined && partial.digest() === pinned) return finish(partial.origin.url, job);
  const faults: Diagnostic[] = [];
  for (const mirror of mirrors) {
    try {
      if (mirror.url.protocol === 'file:') await fromFile(mirror, job);
      else if (options.offline === true) throw offlineFault(mirror);
      else await fromServer(mirror, job);
      return await finish(mirror.shown, job);
    } catch (error) {
      if (!(error instanceof TransferFault)) throw error;
      faults.push(error.diagnostic);
      if (faults.length < mirrors.length) options.onFault?.(error.diagnostic);
    }
  }
  throw new DiagnosticError(faults);
}

async function finish(url: string, { partial, options, report }: Job): Promise<Downloaded> {
  const result = {
    sha256: partial.digest(),
    size: partial.length,
    url,
    resumedFrom: partial.inherited,
  };
  await refuseExisting(options.destination);
  await partial.finish(options.destination);
  report({ received: result.size, total: result.size, url }, true);
  return result;
}

async function fromFile(mirror: Mirror, job: Job): Promise<void> {
  await copyLocal(mirror.url, job.partial, {
    shown: mirror.shown,
    maxBytes: job.options.maxBytes ?? 64 * GIB,
    signal: job.options.signal,
    onBytes: (received, total) => job.report({ received, total, url: mirror.shown }),
  });
  await verify(mirror, job);
}

/** Asks one server until the file is complete and right, or there is no more hope. */
async function fromServer(mirror: Mirror, job: Job): Promise<void> {
  const { partial, options } = job;
  const retries = options.retries ?? 5;
  let furthest = partial.length;
  for (let failures = 0; ; failures++) {
    try {
      await attempt(mirror, job);
      return await verify(mirror, job);
    } catch (error) {
      if (!(error instanceof TransferFault)) throw error;
      if (partial.length >= furthest + WORTHWHILE_BYTES) {
        // Measured from the furthest point ever, so that going in circles ends.
        furthest = partial.length;
        failures = 0;
      }
      const pause = error.wait ?? pauseAfter(failures);
      if (!error.retry || failures >= retries || pause > LONGEST_RETRY_AFTER) throw error;
      options.onFault?.(error.diagnostic);
      await sleep(pause, options);
    }
  }
}

async function attempt({ url, shown }: Mirror, { partial, pinned, options, report }: Job): Promise<void> {
  await transfer(url, partial, {
    shown,
    pinned: pinned !== undefined,
    maxBytes: options.maxBytes ?? 64 * GIB,
    responseTimeout: options.timeouts?.response ?? 30_000,
    idleTimeout: options.timeouts?.idle ?? 30_000,
    userAgent: options.userAgent ?? 'ssi-images',
    signal: options.signal,
    onBytes: (received, total) => report({ received, ...(total === undefined ? {} : { total }), url: shown }),
  });
}

/** Whether the complete file is what was asked for. If not it is emptied, and what is thrown says what it was. */
async function verify({ url, shown }: Mirror, { partial, pinned }: Job): Promise<void> {
  const isPage = WEB_PAGE.test((await partial.head(1024)).toString('latin1'));
  if (pinned === undefined) {
    if (!isPage || /\.x?html?$/i.test(url.pathname)) return;
    await partial.restart();
    throw new TransferFault(shown, 'the server sent a web page instead of the file', {
      hint: 'Open the URL in a browser and put the address of the file itself into the recipe, with its sha256.',
    });
  }
  const actual = partial.digest();
  if (actual === pinned) return;
  // Pieces that do not belong together are no proof against this server: once more, from the beginning.
  const retry = partial.isJoined;
  const size = partial.length;
  await partial.restart();
  throw new TransferFault(shown, 'its SHA-256 is not the pinned one', {
    retry,
    excerpt: [`pinned:   ${pinned}`, `received: ${actual} (${size} bytes${isPage ? ', a web page' : ''})`],
    hint: 'The file was changed or damaged, and has been removed. If you know why it changed, pin the new digest.',
  });
}

function offlineFault({ shown }: Mirror): TransferFault {
  return new TransferFault(shown, 'this needs the network, but --offline was given', {
    hint: 'Run it once without --offline, or get the file yourself and give its path with --set.',
  });
}

/** Half of the time is left to chance, so that many builds do not come back at once. */
function pauseAfter(failures: number): number {
  const pause = Math.min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** Math.min(failures, 16));
  return pause * (0.5 + Math.random() / 2);
}

async function sleep(milliseconds: number, { signal, sleep: own }: DownloadOptions): Promise<void> {
  try {
    if (own !== undefined) await own(milliseconds, signal);
    else await delay(milliseconds, undefined, signal === undefined ? {} : { signal });
  } catch (error) {
    if (signal?.aborted !== true) throw error;
  }
  if (signal?.aborted === true) throw new DiagnosticError({ kind: 'interrupted', message: 'interrupted' });
}

function progressReporter({ onProgress }: DownloadOptions): Job['report'] {
  let latest = Number.NEGATIVE_INFINITY;
  return (progress, last = false) => {
    const now = performance.now();
    if (!last && now - latest < PROGRESS_MILLISECONDS) return;
    latest = now;
    onProgress?.(progress);
  };
}

/** A fault of this host, such as a full disk, says which download it ended. */
function namingUrl(error: unknown, shown: string): unknown {
  if (!(error instanceof DiagnosticError)) return error;
  const diagnostics = error.diagnostics.map((diagnostic) =>
    diagnostic.kind === 'interrupted' || diagnostic.message.startsWith('cannot download ')
      ? diagnostic
      : { ...diagnostic, message: `cannot download ${shown}: ${diagnostic.message}` },
  );
  return new DiagnosticError(diagnostics, { cause: error });
}
