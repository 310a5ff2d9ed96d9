import type { Pace } from '../../bytes/pace.js';
import type { CheckContext } from './context.js';
import type { Fault, FaultList } from './faults.js';

export interface CheckOptions {
  readonly pace: Pace;
  /** The check ends when there are more faults than this; 1000 unless given. */
  readonly limit?: number;
}

export interface CheckResult {
  readonly faults: readonly Fault[];
  /** There were more faults than the limit. */
  readonly truncated: boolean;
  /** Inodes found, the filesystem's own included. */
  readonly inodes: number;
  readonly directories: number;
  /** Regular files that have a name. */
  readonly files: number;
  /** Blocks that inodes own. */
  readonly blocksUsed: number;
}

/** Faults after which a check ends, unless it is told otherwise. */
export const FAULTS_MAX = 1000;

/** What a check has found so far. */
export function resultOf(faults: FaultList, context?: CheckContext): CheckResult {
  return {
    faults: faults.faults,
    truncated: faults.truncated,
    inodes: context?.inodes.size ?? 0,
    directories: context?.directories ?? 0,
    files: context?.files ?? 0,
    blocksUsed: context?.blocksUsed ?? 0,
  };
}
