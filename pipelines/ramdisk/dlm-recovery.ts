/**
 * In wait_status_all() and wait_status_low() (Linux 6.1, fs/dlm/recover.c), what comes before the wait between two questions to
 * another node: while it is at most 999 milliseconds, it gets 20 longer. Then the address of msleep, which is filled in when the
 * module is loaded. The register that counts, here %r8d, is another in each.
 */
const LONGER_WAIT = Buffer.from('4181f8e70300007f044183c01448b8', 'hex');
/** Where the two instructions name the register, in the lowest three bits. */
const REGISTER_PLACES: readonly number[] = [2, 11];
const REGISTER_BITS = 0x07;
/** Where the 20 milliseconds are. */
const STEP_PLACE = 12;
/** How often this is in the module. */
const PLACES = 2;

/**
 * A module of dlm whose recovery asks at each tick of the kernel's clock (10 ms in User-Mode Linux) whether the other nodes are
 * as far, or undefined where this code is not what it is in Debian 12's kernel.
 *
 * Recovery has four steps, which all nodes take together, at each change of who has the root mounted: who joins, and who waits for
 * what a dead node had locked, waits for it. In each step nodes ask each other, and wait longer after each answer: what takes a
 * millisecond takes 30 to 200 then, as each has waited longest when the other is done. Who is asked and does not answer is not asked
 * again until then, in the module as it is too.
 */
export function promptRecovery(module: Buffer): Buffer | undefined {
  const places = placesOf(module);
  if (places.length !== PLACES) return undefined;
  const changed = Buffer.from(module);
  for (const place of places) changed[place + STEP_PLACE] = 0;
  return changed;
}

function placesOf(module: Buffer): number[] {
  const start = LONGER_WAIT.subarray(0, 2);
  const places: number[] = [];
  for (let at = module.indexOf(start); at >= 0; at = module.indexOf(start, at + 1))
    if (isLongerWait(module.subarray(at, at + LONGER_WAIT.length))) places.push(at);
  return places;
}

/** Whether both instructions are about the same register, whichever. */
function isLongerWait(code: Buffer): boolean {
  const registers = new Set(REGISTER_PLACES.map((place) => (code[place] ?? 0) & REGISTER_BITS));
  if (code.length !== LONGER_WAIT.length || registers.size !== 1) return false;
  return LONGER_WAIT.every((byte, place) => {
    const ignored = REGISTER_PLACES.includes(place) ? REGISTER_BITS : 0;
    return byte === ((code[place] ?? 0) & ~ignored);
  });
}
