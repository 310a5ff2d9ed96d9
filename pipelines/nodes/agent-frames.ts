/**
 * What goes over the line between the host and the agent of a node (recipes/debian/node-tools/node-agent says what each
 * frame means): 8 bytes of header, and at most 4096 more.
 */

/** Sent by the host. */
export type RequestType = 'A' | 'R' | 'I' | 'W' | 'K';
/** Sent by the agent. */
export type ReplyType = 'H' | 'L' | '1' | '2' | 'C' | 'X';

export interface AgentFrame {
  /** One character; of those that come in, any. */
  readonly type: string;
  /** Number of the command, 0 for none. */
  readonly command: number;
  readonly payload: Buffer;
}

const MAGIC = [0x1e, 0x53] as const;
const HEADER_BYTES = 8;
export const PAYLOAD_BYTES_MAX = 4096;
/** What the host puts into one frame. */
export const SENT_PAYLOAD_BYTES_MAX = 1024;
/** Bytes that may be under way for a command in each direction. */
export const WINDOW_BYTES = 65_536;
/**
 * Bytes to the node that the agent has not read yet. A terminal of Linux holds 4095, and a guest that has to tell its line
 * to wait may wait for ever: User-Mode Linux can miss that there is more (seen with Linux 6.1).
 */
export const LINE_BYTES_MAX = 3072;
/** Of a command with its arguments. */
export const ARGUMENTS_BYTES_MAX = 131_072;

/** A frame as bytes. The payload has at most PAYLOAD_BYTES_MAX of them. */
export function encodeAgentFrame(type: RequestType | ReplyType, command: number, payload: Buffer): Buffer {
  const header = Buffer.alloc(HEADER_BYTES);
  header.set(MAGIC);
  header.write(type, 2, 'latin1');
  header.writeUInt16BE(command, 3);
  header.writeUInt16BE(payload.length, 5);
  header.writeUInt8(checkOf(header), 7);
  return Buffer.concat([header, payload]);
}

/** Finds the frames in what comes over the line, and passes over whatever else is there. */
export class AgentFrameReader {
  private held: Buffer = Buffer.alloc(0);

  /** The frames that are complete now. */
  *read(bytes: Buffer): Generator<AgentFrame> {
    this.held = this.held.length === 0 ? bytes : Buffer.concat([this.held, bytes]);
    while (this.held.length >= HEADER_BYTES) {
      const length = payloadLength(this.held);
      if (length === undefined) {
        const next = this.held.indexOf(MAGIC[0], 1);
        this.held = next < 0 ? Buffer.alloc(0) : this.held.subarray(next);
        continue;
      }
      const end = HEADER_BYTES + length;
      if (this.held.length < end) return;
      const frame = this.held.subarray(0, end);
      this.held = this.held.subarray(end);
      yield {
        type: frame.toString('latin1', 2, 3),
        command: frame.readUInt16BE(3),
        payload: frame.subarray(HEADER_BYTES),
      };
    }
  }
}

/** Length of the payload of the frame that begins here; undefined when none does. */
function payloadLength(bytes: Buffer): number | undefined {
  if (bytes[0] !== MAGIC[0] || bytes[1] !== MAGIC[1] || bytes[7] !== checkOf(bytes)) return undefined;
  const length = bytes.readUInt16BE(5);
  return length > PAYLOAD_BYTES_MAX ? undefined : length;
}

function checkOf(header: Buffer): number {
  let check = 0;
  for (const byte of header.subarray(0, 7)) check ^= byte;
  return check;
}
