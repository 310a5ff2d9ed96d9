import { spawnSync } from 'node:child_process';
import { closeSync, openSync, readSync, statSync } from 'node:fs';

/** Prints starts and ends of what is no hole in a file: SEEK_DATA is 3, SEEK_HOLE is 4, and a failure is the end. */
const FIND_DATA = `
open my $file, '<', $ARGV[0] or die $!;
for (my $end = 0; defined(my $start = sysseek $file, $end, 3);) {
  $end = sysseek $file, $start, 4 or die $!;
  printf "%d %d\\n", $start, $end;
}`;

/**
 * A file in pieces of at most `pieceBytes`, with the offset of each. Where the kernel says that there is a hole the piece
 * is not read, and comes as zeros; where it can not be asked, for want of perl, all is read. A piece is good until the
 * next one comes.
 */
export function* piecesOfFile(path: string, pieceBytes: number): Generator<readonly [Buffer, number]> {
  const { size } = statSync(path);
  const data = dataIn(path) ?? [[0, size]];
  const buffer = Buffer.alloc(pieceBytes);
  const zeros = Buffer.alloc(pieceBytes);
  const descriptor = openSync(path, 'r');
  let next = 0;
  try {
    for (let offset = 0; offset < size; offset += pieceBytes) {
      const length = Math.min(pieceBytes, size - offset);
      while ((data[next]?.[1] ?? Number.POSITIVE_INFINITY) <= offset) next += 1;
      const isHole = (data[next]?.[0] ?? size) >= offset + length;
      if (!isHole && readSync(descriptor, buffer, 0, length, offset) !== length)
        throw new Error(`${path} is shorter than it was`);
      yield [(isHole ? zeros : buffer).subarray(0, length), offset];
    }
  } finally {
    closeSync(descriptor);
  }
}

function dataIn(path: string): [number, number][] | undefined {
  const { status, stdout } = spawnSync('perl', ['-e', FIND_DATA, path], { encoding: 'utf8' });
  if (status !== 0) return undefined;
  return stdout
    .split('\n')
    .slice(0, -1)
    .map((line) => line.split(' ').map(Number) as [number, number]);
}
