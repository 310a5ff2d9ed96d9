/** One thing that was looked at. */
export interface Finding {
  /** What it belongs to: `tools`, `kernel`, `loop devices`, `memory`, … */
  readonly topic: string;
  /** `missing`: what is wanted can't be done. `warning`: it can, not as well. */
  readonly state: 'ok' | 'warning' | 'missing';
  /** One sentence without a final full stop. */
  readonly message: string;
  /** The file or folder that it is about, where a build names that first. */
  readonly file?: string;
  /** What helps: a Debian package, or a section of the HOWTO. */
  readonly hint?: string;
}

export function ok(topic: string, message: string): Finding {
  return { topic, state: 'ok', message };
}

export function missing(topic: string, message: string, hint?: string): Finding {
  return { topic, state: 'missing', message, ...(hint === undefined ? {} : { hint }) };
}

export function warning(topic: string, message: string, hint?: string): Finding {
  return { topic, state: 'warning', message, ...(hint === undefined ? {} : { hint }) };
}
