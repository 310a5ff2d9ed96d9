import type { Stage } from './engine/stage.js';

/** A file that a build leaves in the output folder. */
export interface PipelineOutput {
  /** Its name there. */
  readonly name: string;
  readonly stage: Stage;
  readonly artifact: string;
  /** A program: whoever has the folder may run it. */
  readonly executable?: true;
}

/** All that a build does: stages, each after those whose results it takes, and which results are wanted. */
export interface Pipeline {
  readonly recipe: string;
  readonly summary: string;
  readonly epoch: number;
  readonly stages: readonly Stage[];
  readonly outputs: readonly PipelineOutput[];
  /** Stages that judge what others made: the build is not done without them. */
  readonly checks: readonly Stage[];
  /** What the manifest has to say besides. */
  readonly notes: readonly string[];
}
