/**
 * In the loop of gfs2_logd (Linux 6.1, fs/gfs2/log.c): what it does while the filesystem is withdrawn, which is to sleep a while
 * and to begin again. In order: the answer of gfs2_withdrawn() in %al, a jump over the rest where it is no; the
 * address of msleep_interruptible, which is filled in when the module is loaded; 100 milliseconds; the call; a jump back.
 */
const SLEEP_IF_WITHDRAWN = Buffer.from('ffd084c0741348b80000000000000000bf64000000ffd0eb', 'hex');
/** The distance of the jump back, as a signed byte: it is below nought. */
const BACK = 0x80;
/**
 * As long, with the address and the jump at the same places: keeps the answer on the stack, twice so that the stack is as it has to
 * be for a call, sleeps for nought milliseconds, which is until the next tick, and jumps back where the answer was yes.
 */
const SLEEP_ALWAYS = Buffer.from('ffd0505031ff48b80000000000000000ffd0585884c09075', 'hex');

/** How a module of gfs2 stands to the hang that `yieldingLogDaemon` is about. */
type LogDaemon =
  /** The kernel takes the processor from its threads, or has several. */
  | { readonly kind: 'safe' }
  | { readonly kind: 'changed'; readonly module: Buffer }
  /** It could hang, for all that is known, and the place to change is not there, or there more than once. */
  | { readonly kind: 'unknown' };

/**
 * A gfs2 module whose log daemon lets others run.
 *
 * A task that removes a file reserves a block of the journal for each block of the file, up to four fifths of the
 * journal, and sleeps while there is no room. The log daemon then writes the journal out, and goes on doing so as long
 * as what is waited for is more than two fifths of the journal, also when all of it is free long since. With a kernel
 * that never takes the processor from a thread of its own, and has one processor only, the task never wakes: such is
 * User-Mode Linux. `rm -r` of a folder with files of 4 MiB hangs a node that has a journal of 8 MiB.
 *
 * The daemon has code that makes it sleep, and begin again, when the filesystem is withdrawn. It is replaced with one that
 * sleeps for a tick (at most 10 ms) each time around, and begins again in the same case. Nothing else is touched, and
 * nothing at all unless this code is there exactly once.
 */
export function yieldingLogDaemon(module: Buffer): LogDaemon {
  const features = featuresOf(module);
  if (features !== undefined && /\b(?:SMP|preempt)/.test(features)) return { kind: 'safe' };
  const [place, ...more] = placesToChange(module);
  if (place === undefined || more.length > 0) return { kind: 'unknown' };
  const changed = Buffer.from(module);
  SLEEP_ALWAYS.copy(changed, place);
  return { kind: 'changed', module: changed };
}

/** What the kernel compares with its own before it loads a module: its version, and what it was built with. */
function featuresOf(module: Buffer): string | undefined {
  const start = module.indexOf('\0vermagic=');
  const end = module.indexOf(0, start + 1);
  return start < 0 || end < 0 ? undefined : module.toString('latin1', start + 1, end);
}

function placesToChange(module: Buffer): number[] {
  const places: number[] = [];
  for (let at = module.indexOf(SLEEP_IF_WITHDRAWN); at >= 0; at = module.indexOf(SLEEP_IF_WITHDRAWN, at + 1))
    if ((module[at + SLEEP_IF_WITHDRAWN.length] ?? 0) >= BACK) places.push(at);
  return places;
}
