import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { EventEmitter } from 'node:events';
import { systemErrorCode } from '../../images/bytes/host-error.js';

/** Documented by undici, which is what Node's fetch is made of: a request is about to be written to a socket. */
const CHANNEL = 'undici:client:sendHeaders';

/**
 * Sees a server that sends more than its Content-Length announced. HTTP gives the reader of a body the announced
 * bytes and no word about the others, but the parser then meets them where the next answer should begin, and says so
 * on the socket. Bytes that come late are not seen; with a pinned digest none of this matters.
 */
export class ExcessWatch {
  private url: URL | undefined;
  private seen = false;
  private sockets: EventEmitter[] = [];

  constructor() {
    subscribe(CHANNEL, this.onRequest);
  }

  /** Watches the answer to the request for `url` that is made next, and no earlier one. */
  expect(url: URL): void {
    this.forget();
    this.url = url;
  }

  /** Whether there was more than announced, as far as it has arrived. Call it once the body is complete. */
  async found(): Promise<boolean> {
    await new Promise<void>((resolve) => setImmediate(resolve));
    return this.seen;
  }

  stop(): void {
    unsubscribe(CHANNEL, this.onRequest);
    this.forget();
  }

  private forget(): void {
    for (const socket of this.sockets) socket.off('error', this.onError);
    this.sockets = [];
    this.seen = false;
  }

  private readonly onRequest = (message: unknown): void => {
    if (typeof message !== 'object' || message === null) return;
    if (!('request' in message) || !('socket' in message)) return;
    const { request, socket } = message;
    if (!(socket instanceof EventEmitter) || typeof request !== 'object' || request === null) return;
    if (!('origin' in request) || !('path' in request)) return;
    if (this.url === undefined || String(request.origin) !== this.url.origin) return;
    if (request.path !== this.url.pathname + this.url.search) return;
    this.sockets.push(socket);
    socket.on('error', this.onError);
  };

  private readonly onError = (error: unknown): void => {
    if (systemErrorCode(error)?.startsWith('HPE_') === true) this.seen = true;
  };
}
