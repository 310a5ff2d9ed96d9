import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';

/** One request as the server saw it. */
export interface Seen {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  /** Bytes of the body that were given to the connection. */
  served: number;
}

export type Answer = (request: IncomingMessage, response: ServerResponse, seen: Seen) => void;

/** A server on the loopback interface that answers each path with a list of answers in turn, the last for ever. */
export class FaultyServer {
  readonly seen: Seen[] = [];
  private readonly answers = new Map<string, Answer[]>();
  private readonly sockets = new Set<Socket>();
  private readonly server = createServer((request, response) => {
    const path = request.url ?? '';
    const seen = { path, headers: request.headers, served: 0 };
    this.seen.push(seen);
    const answers = this.answers.get(path) ?? [];
    const answer = answers.length > 1 ? answers.shift() : answers[0];
    if (answer === undefined) status(404)(request, response, seen);
    else answer(request, response, seen);
  });

  async start(): Promise<void> {
    this.server.on('connection', (socket) => {
      this.sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => this.sockets.delete(socket));
    });
    await new Promise<void>((resolve) => this.server.listen(0, '127.0.0.1', resolve));
  }

  async stop(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    await new Promise((resolve) => this.server.close(resolve));
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  /** Sets what a path answers, and gives its URL. */
  on(path: string, ...answers: Answer[]): string {
    this.answers.set(path, answers);
    return `http://127.0.0.1:${this.port}${path}`;
  }

  /** The `Range` headers of the requests so far, in order; undefined for a request without. */
  get ranges(): (string | undefined)[] {
    return this.seen.map(({ headers }) => headers.range);
  }
}

export function status(code: number, headers: Record<string, string> = {}): Answer {
  return (_request, response) => {
    response.writeHead(code, headers);
    response.end(code === 304 ? undefined : `status ${code}`);
  };
}

export interface FileFaults {
  readonly etag?: string;
  readonly lastModified?: string;
  readonly headers?: Record<string, string>;
  /** Breaks the connection after so many bytes of the body. */
  readonly dropAfter?: number;
  /** Sends nothing more after so many bytes of the body. */
  readonly stallAfter?: number;
  /** Bytes of the body in one write, and the milliseconds between two. */
  readonly slowly?: readonly [bytes: number, pause: number];
  /** Answers 200 with everything to a Range. */
  readonly ignoreRange?: boolean;
  /** Answers 206 without looking at If-Range. */
  readonly ignoreIfRange?: boolean;
  /** No Content-Length. */
  readonly chunked?: boolean;
  /** A Content-Range other than the right one, for a part from a byte on. */
  readonly contentRange?: (start: number) => string;
  /** A Content-Length that is by so many bytes too large. */
  readonly announceMore?: number;
}

/** A file with its ranges (RFC 9110 §14), and what may go wrong with it. */
export function file(body: Buffer, faults: FileFaults = {}): Answer {
  return (request, response, seen) => {
    const start = startOf(request, faults);
    const validators = {
      ...(faults.etag === undefined ? {} : { etag: faults.etag }),
      ...(faults.lastModified === undefined ? {} : { 'last-modified': faults.lastModified }),
    };
    if (start !== undefined && start >= body.length) {
      response.writeHead(416, { 'content-range': `bytes */${body.length}`, ...validators });
      response.end();
      return;
    }
    const part = body.subarray(start ?? 0);
    const range =
      faults.contentRange?.(start ?? 0) ?? `bytes ${start ?? 0}-${body.length - 1}/${body.length}`;
    response.writeHead(start === undefined ? 200 : 206, {
      ...validators,
      ...(start === undefined ? {} : { 'content-range': range }),
      ...(faults.chunked === true ? {} : { 'content-length': `${part.length + (faults.announceMore ?? 0)}` }),
      ...faults.headers,
    });
    void send(part, response, seen, faults);
  };
}

function startOf({ headers }: IncomingMessage, faults: FileFaults): number | undefined {
  const start = /^bytes=(\d+)-$/.exec(headers.range ?? '')?.[1];
  if (start === undefined || faults.ignoreRange === true) return undefined;
  const condition = headers['if-range'];
  const holds = condition === undefined || condition === faults.etag || condition === faults.lastModified;
  return holds || faults.ignoreIfRange === true ? Number(start) : undefined;
}

async function send(part: Buffer, response: ServerResponse, seen: Seen, faults: FileFaults): Promise<void> {
  const end = Math.min(part.length, faults.dropAfter ?? part.length, faults.stallAfter ?? part.length);
  const [size, pause] = faults.slowly ?? [1024 * 1024, 0];
  response.flushHeaders();
  for (let offset = 0; offset < end && !response.destroyed; offset += size) {
    const piece = part.subarray(offset, Math.min(end, offset + size));
    await new Promise((resolve) => response.write(piece, resolve));
    seen.served += piece.length;
    if (pause > 0) await new Promise((resolve) => setTimeout(resolve, pause));
  }
  if (faults.stallAfter !== undefined && faults.stallAfter < part.length) return;
  if (end === part.length && faults.announceMore === undefined) {
    response.end();
    return;
  }
  // fetch forgets what it has not handed on yet when a connection breaks: give it the time.
  await new Promise((resolve) => setTimeout(resolve, 20));
  response.socket?.destroy();
}

/** Announces `announced` bytes and sends all of the body in the same breath: node:http itself would refuse to. */
export function tooMuch(body: Buffer, announced: number): Answer {
  return (_request, response) => {
    response.socket?.write(
      Buffer.concat([Buffer.from(`HTTP/1.1 200 OK\r\nContent-Length: ${announced}\r\n\r\n`), body]),
    );
  };
}
