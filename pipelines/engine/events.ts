import type { Diagnostic } from '../../images/diagnostic.js';
import type { RemoteReport } from '../cache/remote/remote-cache.js';

/** Why a stage runs. */
export type RunReason =
  /** The cache has no run with this key. */
  | 'new'
  /** The user asked for it. */
  | 'asked'
  /** The cache knows the result, but its bytes are wanted and not (or no longer) kept. */
  | 'bytes';

/** Everything that can happen in a build. The engine only tells; presenters show. */
export type BuildEvent =
  | { readonly type: 'build-start'; readonly recipe: string; readonly stages: readonly StageTitle[] }
  | {
      readonly type: 'stage-hit';
      readonly stage: string;
      readonly key: string;
      readonly bytes: number;
      /** Where its record comes from, when that is not the cache on this machine. */
      readonly from?: 'remote';
    }
  | { readonly type: 'stage-wait'; readonly stage: string; readonly process: number }
  | { readonly type: 'stage-start'; readonly stage: string; readonly key: string; readonly reason: RunReason }
  | {
      readonly type: 'stage-progress';
      readonly stage: string;
      readonly done: number;
      /** Bytes in all, where that is known. */
      readonly total?: number;
      readonly note?: string;
    }
  | { readonly type: 'stage-output'; readonly stage: string; readonly line: string }
  | {
      readonly type: 'stage-done';
      readonly stage: string;
      readonly key: string;
      readonly milliseconds: number;
      /** Length of what it made. */
      readonly bytes: number;
    }
  | { readonly type: 'stage-failed'; readonly stage: string; readonly diagnostics: readonly Diagnostic[] }
  | { readonly type: 'stage-skipped'; readonly stage: string }
  | { readonly type: 'warning'; readonly stage?: string; readonly message: string; readonly hint?: string }
  | {
      readonly type: 'output';
      readonly name: string;
      readonly size: number;
      readonly sha256: string;
      /** Whether the file in the output folder stayed as it was. */
      readonly kept: boolean;
    }
  | ({ readonly type: 'remote-done' } & RemoteReport)
  | {
      readonly type: 'build-done';
      readonly folder: string;
      readonly milliseconds: number;
      readonly ran: number;
      readonly cached: number;
      /** Nothing had to be done. */
      readonly unchanged: boolean;
    };

export interface StageTitle {
  readonly name: string;
  readonly title: string;
}

export type EventListener = (event: BuildEvent) => void;
