/** Samples kept at most: enough for a smooth rate, whatever the caller's pace. */
const SAMPLES = 64;

interface Sample {
  /** Milliseconds, of any clock that only goes forward. */
  readonly time: number;
  /** Bytes received until then. */
  readonly received: number;
}

/**
 * How fast a download goes, over the last seconds only, so that a stall shows and a resumed beginning does not count.
 * Pure: the caller gives the time, in milliseconds.
 */
export class RateMeter {
  private samples: Sample[] = [];

  /** `window` is what the rate is taken over, in milliseconds. */
  constructor(private readonly window = 10_000) {}

  /** Notes that `received` bytes are there in all. Fewer than before means that the download started again. */
  add(received: number, time: number): void {
    const latest = this.samples.at(-1);
    if (latest !== undefined && (received < latest.received || time < latest.time)) this.samples = [];
    const previous = this.samples.at(-2);
    // Samples closer than the window allows replace the latest, so that their number stays bounded.
    if (latest !== undefined && previous !== undefined && time - previous.time < this.window / SAMPLES)
      this.samples.pop();
    this.samples.push({ time, received });
    this.forget(time);
  }

  /** Bytes per second over the window that ends at `time`; undefined until there is something to tell. */
  rate(time: number): number | undefined {
    this.forget(time);
    const first = this.samples[0];
    const latest = this.samples.at(-1);
    if (first === undefined || latest === undefined || time <= first.time) return undefined;
    if (first === latest && time - first.time < this.window) return undefined;
    return ((latest.received - first.received) * 1000) / (time - first.time);
  }

  /** Seconds until `total` bytes are there at the present rate; undefined when nobody can tell, as in a stall. */
  secondsLeft(total: number, time: number): number | undefined {
    const rate = this.rate(time);
    const latest = this.samples.at(-1);
    if (rate === undefined || rate <= 0 || latest === undefined) return undefined;
    return Math.max(0, total - latest.received) / rate;
  }

  /** Drops what lies before the window, but for one sample: what the rate is measured from. */
  private forget(time: number): void {
    while (this.samples.length > 1 && (this.samples[1]?.time ?? time) <= time - this.window)
      this.samples.shift();
  }
}
