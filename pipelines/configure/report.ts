/** The edits of a root, in the order they are made. */
export type Step = 'modules' | 'remove-services' | 'remove' | 'ubd' | 'files' | 'inittab' | 'network';

export type Outcome =
  /** Made where nothing was. */
  | 'added'
  /** What was there is gone, and something else has its name. */
  | 'replaced'
  /** A directory of the root with what was laid into it. */
  | 'merged'
  | 'changed'
  | 'commented out'
  | 'uncommented'
  | 'removed'
  /** As it should be before anything was done: left as it was. */
  | 'already done'
  /** To be removed, but not in this root. */
  | 'not there';

/** One thing that an edit did, or found done. For the log and the manifest: the same edits give the same lines. */
export interface ReportLine {
  readonly step: Step;
  /** Absolute path in the root, symbolic links on the way followed. */
  readonly path: string;
  readonly outcome: Outcome;
  /** Line of the file as it was, from 1. */
  readonly line?: number;
  /** More about it, such as a device number or the text of a line. From the image: make it `printable` to show it. */
  readonly detail?: string;
}
