import { seeded } from './hand-made.js';

function fill(length: number, byte: (index: number) => number): Buffer {
  const bytes = Buffer.alloc(length);
  for (let index = 0; index < length; index++) bytes[index] = byte(index);
  return bytes;
}

/** A text of words, some often and some seldom. */
export function words(length: number, seed: number): Buffer {
  const random = seeded(seed);
  const vocabulary = Array.from({ length: 500 }, () =>
    Array.from({ length: 2 + Math.floor(random() * 8) }, () =>
      String.fromCharCode(97 + Math.floor(random() * 26)),
    ).join(''),
  );
  let text = '';
  while (text.length < length) text += `${vocabulary[Math.floor(random() ** 3 * 500)]} `;
  return Buffer.from(text.slice(0, length), 'latin1');
}

/** Data of many kinds, by name. */
export function samples(): [name: string, data: Buffer][] {
  const random = seeded(4711);
  return [
    ['nothing', Buffer.alloc(0)],
    ['a byte', Buffer.from('x')],
    ...[3, 4, 5, 258, 259, 260, 263, 518, 519].map((length): [string, Buffer] => [
      `${length} equal bytes`,
      Buffer.alloc(length, 0x61),
    ]),
    ['three million zeros', Buffer.alloc(3_000_000)],
    ['noise', fill(350_000, () => Math.floor(random() * 256))],
    ['two bytes at random', fill(200_000, () => (random() < 0.5 ? 0 : 1))],
    ['all bytes in order', fill(100_000, (index) => index & 0xff)],
    ['a period of two', fill(150_000, (index) => index & 1)],
    ['a period of 1000', fill(400_000, (index) => (((index % 1000) * 2654435761) >>> 24) & 0xff)],
    ['a text', words(1_200_000, 1)],
    [
      'a text with holes',
      Buffer.concat([words(50_000, 2), Buffer.alloc(700_000), words(33_333, 3), Buffer.alloc(4096)]),
    ],
    ['runs of all lengths', Buffer.concat(Array.from({ length: 600 }, (_, n) => Buffer.alloc(n, n & 3)))],
    ['steps', fill(250_000, (index) => (index >> 10) & 0xff)],
  ];
}
