import { type ByteSource, FileSource } from '../../images/bytes/byte-source.js';
import { Pace } from '../../images/bytes/pace.js';
import type { Stage, StageContext, StageResult } from './stage.js';

/** What a stage found that began before its key was known. */
export interface AheadResult {
  readonly result: StageResult;
  readonly milliseconds: number;
}

/**
 * Runs a stage that only looks (see `Stage.ahead`) with the files of its inputs where `pathOf` says. Throws what the
 * stage throws, which an abort ends.
 */
export async function runAhead(
  stage: Stage,
  signal: AbortSignal,
  jobs: number,
  pathOf: (input: string) => Promise<string>,
): Promise<AheadResult> {
  const start = performance.now();
  const sources: ByteSource[] = [];
  const unknown = (what: string) => (): never => {
    throw new RangeError(`${stage.name} begins ahead, so it has no ${what}`);
  };
  const context: StageContext = {
    pace: new Pace(signal),
    signal,
    jobs,
    get work() {
      return unknown('folder')();
    },
    inputPath: pathOf,
    inputSource: async (name) => {
      const source = new FileSource(await pathOf(name));
      sources.push(source);
      return source;
    },
    inputTree: unknown('trees'),
    inputSha256: unknown('digests'),
    inputSize: unknown('lengths'),
    inputIsExecutable: unknown('modes'),
    partialDownload: unknown('downloads'),
    outputPath: unknown('artifacts'),
    // It is shown when it has its turn, and then it is done.
    progress: () => {},
    output: unknown('output'),
    warning: unknown('warnings'),
  };
  try {
    const result = await stage.run(context);
    return { result, milliseconds: Math.round(performance.now() - start) };
  } finally {
    for (const source of sources) source.close();
  }
}
