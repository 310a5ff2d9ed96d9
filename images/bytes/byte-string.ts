/**
 * Names inside images are bytes, in no particular encoding. Inside this project they are *byte strings*: ordinary
 * strings in which every character stands for one byte (U+0000..U+00FF, "latin1"). They compare and sort as the
 * bytes do, work as Map keys, and never lose anything. This file is the only place that turns them into text.
 */
export type ByteString = string;

const strictDecoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** The bytes of a byte string. */
export function bytesOf(text: ByteString): Buffer {
  return Buffer.from(text, 'latin1');
}

/** The byte string of some bytes. */
export function byteString(bytes: Uint8Array): ByteString {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
}

/** The byte string of ordinary text (a command-line argument, a recipe): its UTF-8 bytes. */
export function byteStringFromText(text: string): ByteString {
  // Lone surrogates U+DC80..U+DCFF stand for single bytes, so that textFromByteString is undone exactly.
  let result = '';
  for (const character of text) {
    const code = character.codePointAt(0)!;
    if (code < 0x80) result += character;
    else if (code >= 0xdc80 && code <= 0xdcff) result += String.fromCharCode(code - 0xdc00);
    else result += Buffer.from(character, 'utf8').toString('latin1');
  }
  return result;
}

/**
 * A byte string as text: UTF-8 where it is valid, every other byte as a lone surrogate U+DC80..U+DCFF. This is
 * what Python's `surrogateescape` does, so `json.loads` followed by `os.fsencode` gives the original bytes.
 */
export function textFromByteString(value: ByteString): string {
  if (isAscii(value)) return value;
  const bytes = bytesOf(value);
  try {
    return strictDecoder.decode(bytes);
  } catch {
    return decodeLossless(bytes);
  }
}

function isAscii(value: ByteString): boolean {
  for (let index = 0; index < value.length; index++) if (value.charCodeAt(index) > 0x7f) return false;
  return true;
}

function decodeLossless(bytes: Uint8Array): string {
  let result = '';
  let index = 0;
  while (index < bytes.length) {
    const first = bytes[index]!;
    const length = first < 0x80 ? 1 : first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : first >= 0xc2 ? 2 : 0;
    let decoded: string | undefined;
    if (length > 0 && index + length <= bytes.length) {
      try {
        decoded = strictDecoder.decode(bytes.subarray(index, index + length));
      } catch {
        // Not a whole UTF-8 sequence: fall through to the single byte.
      }
    }
    if (decoded === undefined) {
      result += String.fromCharCode(0xdc00 + first);
      index += 1;
    } else {
      result += decoded;
      index += length;
    }
  }
  return result;
}
