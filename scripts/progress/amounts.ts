import { RateMeter } from '../../pipelines/download/rate-meter.js';
import { formatBytes } from '../command-line/output.js';

/** A duration for people: `0.42 s`, `12 s`, `3 min 20 s`. */
export function formatDuration(milliseconds: number): string {
  const seconds = milliseconds / 1000;
  if (seconds < 10) return `${seconds.toFixed(2)} s`;
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  const minutes = Math.floor(seconds / 60);
  return `${minutes} min ${Math.round(seconds - minutes * 60)} s`;
}

/** How far a stage is, how fast it goes and how long it will take. */
export class ProgressMeter {
  private readonly rates = new RateMeter();

  text(done: number, total: number | undefined, note: string | undefined): string {
    const now = performance.now();
    this.rates.add(done, now);
    const rate = this.rates.rate(now);
    const left = total === undefined ? undefined : this.rates.secondsLeft(total, now);
    return [
      note,
      total === undefined || total === 0
        ? formatBytes(done)
        : `${Math.floor((done / total) * 100)} % of ${formatBytes(total)}`,
      rate === undefined ? undefined : `${formatBytes(rate)}/s`,
      left === undefined || left < 1 ? undefined : `${formatDuration(left * 1000)} left`,
    ]
      .filter((part) => part !== undefined)
      .join(', ');
  }
}
