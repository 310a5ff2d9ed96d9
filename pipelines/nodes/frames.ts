import type { Socket } from 'node:net';
import { hostError } from '../../images/diagnostic.js';

/**
 * What goes over the socket between a command and a cluster's supervisor: a byte that says what it is, the length in four
 * bytes (big-endian), and so many more bytes.
 */
export type FrameType =
  /** A message, as JSON. */
  | 'message'
  /** Standard input of a command, or what is typed on a console; empty: its end. */
  | 'input'
  | 'output'
  | 'error-output';

const codes: Readonly<Record<FrameType, number>> = {
  message: 0x6d,
  input: 0x69,
  output: 0x6f,
  'error-output': 0x65,
};
const types = new Map(Object.entries(codes).map(([type, code]) => [code, type as FrameType]));

const HEADER_BYTES = 5;
const PAYLOAD_BYTES_MAX = 1024 * 1024;

export interface Frame {
  readonly type: FrameType;
  readonly payload: Buffer;
}

export function encodeFrame(type: FrameType, payload: Buffer): Buffer {
  const header = Buffer.alloc(HEADER_BYTES);
  header.writeUInt8(codes[type], 0);
  header.writeUInt32BE(payload.length, 1);
  return Buffer.concat([header, payload]);
}

export function encodeMessage(message: unknown): Buffer {
  return encodeFrame('message', Buffer.from(JSON.stringify(message)));
}

/** The frames of a connection, one after the other. Throws a DiagnosticError when what comes is no frame. */
export async function* framesOf(socket: Socket): AsyncGenerator<Frame> {
  let held: Buffer = Buffer.alloc(0);
  for await (const chunk of socket as AsyncIterable<Buffer>) {
    held = held.length === 0 ? chunk : Buffer.concat([held, chunk]);
    while (held.length >= HEADER_BYTES) {
      const type = types.get(held.readUInt8(0));
      const end = HEADER_BYTES + held.readUInt32BE(1);
      if (type === undefined || end > HEADER_BYTES + PAYLOAD_BYTES_MAX)
        throw hostError('what comes over the socket is not what a cluster says');
      if (held.length < end) break;
      yield { type, payload: held.subarray(HEADER_BYTES, end) };
      held = held.subarray(end);
    }
  }
}
