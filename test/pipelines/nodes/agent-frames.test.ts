import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  AgentFrameReader,
  encodeAgentFrame,
  PAYLOAD_BYTES_MAX,
} from '../../../pipelines/nodes/agent-frames.js';

const frames = fc.array(
  fc.record({
    type: fc.constantFrom('1', '2', 'C', 'X', 'H', 'L') as fc.Arbitrary<'1'>,
    command: fc.integer({ min: 0, max: 0xffff }),
    payload: fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
  }),
  { maxLength: 8 },
);

/** Bytes, in pieces of any length. */
function* pieces(bytes: Buffer, lengths: readonly number[]): Generator<Buffer> {
  let offset = 0;
  for (const length of lengths) {
    yield bytes.subarray(offset, offset + length);
    offset += length;
  }
  yield bytes.subarray(offset);
}

test('frames come out as they went in, however they are cut', () => {
  fc.assert(
    fc.property(frames, fc.array(fc.integer({ min: 1, max: 40 })), (sent, lengths) => {
      const bytes = Buffer.concat(
        sent.map(({ type, command, payload }) => encodeAgentFrame(type, command, payload)),
      );
      const reader = new AgentFrameReader();
      const read = [...pieces(bytes, lengths)].flatMap((piece) => [...reader.read(piece)]);
      expect(read).toEqual(sent);
    }),
  );
});

test('whatever stands before a frame, the one after the next comes through', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (noise) => {
      const reader = new AgentFrameReader();
      const good = encodeAgentFrame('X', 7, Buffer.from('exit 0'));
      // Noise may look like the header of a frame that takes what follows for its payload.
      const padding = Buffer.alloc(PAYLOAD_BYTES_MAX + 8, '.');
      const read = [...reader.read(Buffer.concat([Buffer.from(noise), padding, good]))];
      expect(read.at(-1)).toEqual({ type: 'X', command: 7, payload: Buffer.from('exit 0') });
    }),
  );
});
