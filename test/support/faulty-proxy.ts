import { Agent, createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import type { Random } from '../fuzz/random.js';

/** What can go wrong between a build and its remote cache. */
export const faults = [
  'drop',
  'hang',
  'delay',
  'truncate',
  'corrupt',
  'corrupt-upload',
  'trickle',
  'too-many',
  'error',
  'garbage',
] as const;

export type Fault = (typeof faults)[number];

export interface FaultyProxyOptions {
  /** The port on this host that it passes requests on to. */
  readonly target: number;
  /** The fault of a request; undefined for none. */
  readonly choose: () => Fault | undefined;
  readonly random: Random;
}

export interface FaultyProxy {
  readonly url: string;
  /** How often it did each fault. */
  readonly done: Map<Fault, number>;
  stop(): Promise<void>;
}

/** An HTTP proxy before a cache, which does harm to what passes. */
export function startFaultyProxy({ target, choose, random }: FaultyProxyOptions): Promise<FaultyProxy> {
  const done = new Map<Fault, number>();
  const agent = new Agent({ keepAlive: true });
  const server = createServer((incoming, outgoing) => {
    const fault = choose();
    if (fault !== undefined) done.set(fault, (done.get(fault) ?? 0) + 1);
    serve(incoming, outgoing, fault).catch(() => outgoing.destroy());
  });

  async function serve(incoming: IncomingMessage, outgoing: ServerResponse, fault: Fault | undefined) {
    if (fault === 'hang') return;
    if (fault === 'drop' && random.below(2) === 0) return void incoming.socket.destroy();
    const sent = await bodyOf(incoming);
    if (fault === 'drop') return void incoming.socket.destroy();
    if (fault === 'too-many') return answer(outgoing, 429, { 'retry-after': '1' }, Buffer.alloc(0));
    if (fault === 'error') return answer(outgoing, 500 + random.below(5), {}, Buffer.from('no'));
    if (fault === 'garbage') return void incoming.socket.end('HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n');
    if (fault === 'corrupt-upload') flip(sent);
    const { status, headers, body } = await passOn(incoming, sent);
    if (fault === 'delay') await new Promise((resolve) => setTimeout(resolve, random.below(400)));
    if (fault === 'corrupt') flip(body);
    if (fault === 'truncate' && body.length > 0) {
      outgoing.writeHead(status, { ...headers, 'content-length': body.length });
      outgoing.write(body.subarray(0, random.below(body.length)), () => incoming.socket.destroy());
      return;
    }
    if (fault === 'trickle' && body.length > 0) return trickle(outgoing, status, body);
    answer(outgoing, status, headers, body);
  }

  function trickle(outgoing: ServerResponse, status: number, body: Buffer): void {
    outgoing.writeHead(status, { 'content-length': body.length });
    let offset = 0;
    const timer = setInterval(() => {
      if (offset < body.length && !outgoing.destroyed) outgoing.write(body.subarray(offset, ++offset));
      else {
        clearInterval(timer);
        outgoing.end();
      }
    }, 50);
  }

  function passOn(incoming: IncomingMessage, sent: Buffer) {
    return new Promise<{ status: number; headers: Record<string, string>; body: Buffer }>(
      (resolve, reject) => {
        const headers = { ...incoming.headers };
        delete headers['transfer-encoding'];
        if (sent.length > 0) headers['content-length'] = String(sent.length);
        const { method, url: path } = incoming;
        const passed = request(
          { host: '127.0.0.1', port: target, method, path, headers, agent },
          (response) => {
            bodyOf(response).then((body) => {
              const length = response.headers['content-length'];
              const kept = method === 'HEAD' && length !== undefined ? { 'content-length': length } : {};
              resolve({ status: response.statusCode ?? 500, headers: kept as Record<string, string>, body });
            }, reject);
          },
        );
        passed.on('error', reject);
        passed.end(sent);
      },
    );
  }

  function flip(bytes: Buffer): void {
    if (bytes.length === 0) return;
    const at = random.below(bytes.length);
    bytes[at] = (bytes[at] ?? 0) ^ (1 << random.below(8));
  }

  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      const port = typeof address === 'object' && address !== null ? address.port : 0;
      const stop = (): Promise<void> =>
        new Promise((stopped) => {
          agent.destroy();
          server.close(() => stopped());
          server.closeAllConnections();
        });
      resolve({ url: `http://127.0.0.1:${port}/`, done, stop });
    });
  });
}

function answer(
  outgoing: ServerResponse,
  status: number,
  headers: Record<string, string>,
  body: Buffer,
): void {
  outgoing.writeHead(status, { ...(body.length > 0 ? { 'content-length': body.length } : {}), ...headers });
  outgoing.end(body);
}

async function bodyOf(message: IncomingMessage): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of message as AsyncIterable<Buffer>) parts.push(part);
  return Buffer.concat(parts);
}
