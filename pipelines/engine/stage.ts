import type { ByteSource } from '../../images/bytes/byte-source.js';
import type { DataMap } from '../../images/bytes/data-map.js';
import type { Pace } from '../../images/bytes/pace.js';
import type { Tree } from '../../images/tree/tree.js';
import type { JsonValue } from '../cache/canonical-json.js';
import type { Finding } from '../doctor/finding.js';

/** What a stage reads. */
export type StageInput =
  /** What another stage made. */
  | { readonly kind: 'artifact'; readonly stage: Stage; readonly artifact: string }
  /**
   * A file of the user's: its bytes count, and with `mode` whether it is executable; nothing else. `inPlace`: what the
   * stage makes refers to it where it lies, instead of to the cache.
   */
  | { readonly kind: 'file'; readonly path: string; readonly mode?: true; readonly inPlace?: true }
  /**
   * A directory of the user's. `contents`: names, bytes, link targets and whether a file is executable count. `all`:
   * owners, modes and times too.
   */
  | { readonly kind: 'directory'; readonly path: string; readonly what: 'contents' | 'all' };

/** A program that a stage runs. Its version is a part of the key. */
export interface StageTool {
  readonly program: string;
  /** Debian package that brings it. */
  readonly package: string;
  /** Arguments that make it print its version. */
  readonly versionArguments: readonly string[];
  /** The stage can do without it. */
  readonly optional?: boolean;
}

/** What a stage needs of the host besides its tools. It changes nothing of what is made, so it is no part of the key. */
export type StageNeed =
  /** A program. `userPath`: it may also lie on the user's own PATH. */
  | {
      readonly kind: 'program';
      readonly program: string;
      readonly package: string;
      readonly versionArguments?: readonly string[];
      readonly userPath?: true;
    }
  /** As an ordinary user: namespaces with the range of users and groups that /etc/subuid and /etc/subgid give. */
  | { readonly kind: 'user range' }
  /** Bytes that are certainly written: a number, or at least as many as an input has. */
  | {
      readonly kind: 'space';
      readonly where: 'cache' | 'outputs' | 'temporary';
      readonly bytes: number | { readonly input: string };
    }
  /** What only the whole build knows. */
  | { readonly kind: 'other'; readonly look: () => Promise<readonly Finding[]> };

/** Whether the cache keeps what a stage makes. */
export type Keeping =
  /** Yes. */
  | 'stored'
  /** Only its digest: making it again costs no more than getting it back. The file itself is an output of the build. */
  | 'digest';

/** One step of a build: made from what it declares, and nothing else, it always gives the same bytes. */
export interface Stage {
  /** As users write it: `--until configure`. */
  readonly name: string;
  /** What it does, for people. */
  readonly title: string;
  /** `import.meta.url` of its module: what that imports, and itself, are a part of the key. */
  readonly module: string;
  readonly parameters: JsonValue;
  readonly inputs: Readonly<Record<string, StageInput>>;
  readonly tools: readonly StageTool[];
  readonly needs?: readonly StageNeed[];
  /** Names of its artifacts. */
  readonly artifacts: readonly string[];
  readonly keeping: Keeping;
  /**
   * The input, a file that the cache does not keep, whose digest it need not wait for. Such a stage makes no artifacts and only looks at its
   * inputs' paths and sources: it may begin when the bytes are there, and what it found counts once its key is known.
   */
  readonly ahead?: string;
  /**
   * Looks whether what it got from elsewhere is still what is there. Returns a sentence for a plan when it is not, or
   * when that can't be told; undefined when nothing has changed. `known` has the digests of its artifacts.
   */
  readonly lookAgain?: (
    known: Readonly<Record<string, string>>,
    signal: AbortSignal | undefined,
  ) => Promise<string | undefined>;
  /** Throws a DiagnosticError with what is wrong; whatever it left in `work` is removed. */
  run(context: StageContext): Promise<StageResult>;
}

/** What a stage hands over. */
export type NewArtifact =
  /**
   * A file below `work`, or at the path that `outputPath` gave, with its digest if that is known already, or at least
   * with what of it has data.
   */
  | {
      readonly kind: 'file';
      readonly path: string;
      readonly sha256?: string;
      readonly data?: DataMap | undefined;
    }
  | { readonly kind: 'bytes'; readonly bytes: Uint8Array }
  /** A root directory. Contents on the host are copied into the cache with it. */
  | { readonly kind: 'tree'; readonly tree: Tree };

export interface StageResult {
  readonly artifacts: Readonly<Record<string, NewArtifact>>;
  /** What is worth telling in the manifest: counts, reports. */
  readonly facts?: JsonValue;
}

/** What a stage is given to do its work. */
export interface StageContext {
  readonly pace: Pace;
  readonly signal: AbortSignal;
  /** How much may run at once. */
  readonly jobs: number;
  /** A folder for this run alone, on the cache's filesystem. */
  readonly work: string;
  /** Where an unfinished download waits to be continued, by its digest or URL: it survives the run. */
  partialDownload(id: string): string;
  /** Path of an input's bytes, compared with their digest before. Open it before anything else is waited for. */
  inputPath(name: string): Promise<string>;
  /** The same, open: trees may refer to it. Stays open until the build ends. */
  inputSource(name: string): Promise<ByteSource>;
  /** An input that is a tree. */
  inputTree(name: string): Promise<Tree>;
  inputSha256(name: string): string;
  /** Whether a file of the user's is executable: asked for by its input's `mode`. */
  inputIsExecutable(name: string): boolean;
  /** Length of an input in bytes. */
  inputSize(name: string): number;
  /** Where to make the file of an artifact: on the filesystem it will stay on. */
  outputPath(artifact: string): string;
  progress(done: number, total?: number, note?: string): void;
  /** A line that a program printed. */
  output(line: string): void;
  warning(message: string, hint?: string): void;
}
