import type { Timestamp } from './node.js';

/** A time as the calls of `node:fs` take it: seconds with a fraction, or a Date. */
export type HostTime = number | Date;

/** Further off a Date can't be, nor any filesystem's time. */
const SECONDS_MAX = 8.64e12;

/**
 * What to hand to `utimes` for a time, or undefined when there is no such time on any host. Node takes seconds as a
 * floating-point number: microseconds fit in it, nanoseconds do not. A negative number it would silently take for
 * "now", so times before 1970 go as a Date, which has milliseconds.
 */
export function hostTimeOf({ seconds, nanoseconds }: Timestamp): HostTime | undefined {
  if (!(Math.abs(seconds) <= SECONDS_MAX)) return undefined;
  if (seconds < 0) return new Date(seconds * 1000 + Math.floor(nanoseconds / 1e6));
  if (nanoseconds < 1000) return seconds;
  // The system cuts below the microsecond: from its middle, rounding leads neither to the one before nor after.
  const time = seconds + (Math.floor(nanoseconds / 1000) + 0.5) / 1e6;
  return Math.floor(time) === seconds ? time : seconds;
}

/** Whether `hostTimeOf` gives less than the time has. */
export function isFinerThanHost({ seconds, nanoseconds }: Timestamp): boolean {
  return nanoseconds % (seconds < 0 ? 1_000_000 : 1000) !== 0;
}
