import { lstatSync, renameSync } from 'node:fs';
import { join, relative } from 'node:path';
import { packContents } from '../../images/tree/pack.js';
import type { Tree } from '../../images/tree/tree.js';
import { encodeTree, sourcesOfTreeFile } from '../../images/tree/tree-file.js';
import { sha256 } from '../cache/canonical-json.js';
import { digestOfFile, digestOfFileAside } from '../cache/file-digest.js';
import type { Artifact } from '../cache/record.js';
import type { NewArtifact, StageResult } from './stage.js';
import type { StageFolders, StageRun } from './stage-run.js';

/** A file that the cache does not keep. */
export interface MadeFile {
  readonly path: string;
  readonly sha256: string;
}

/** What became of the artifacts of a run. */
export interface TakenArtifacts {
  readonly artifacts: Readonly<Record<string, Artifact>>;
  /** Blobs that the trees among them refer to. */
  readonly references: readonly string[];
  /** Digests of the user's files that they refer to. */
  readonly hostFiles: readonly string[];
  /** Settled once the cache has everything on disk. */
  readonly stored: Promise<unknown>;
  readonly made: ReadonlyMap<string, MadeFile>;
}

/** Takes over what a stage made: it leaves the work folder, which then goes. */
export async function takeArtifacts(
  run: StageRun,
  result: StageResult,
  folders: StageFolders,
): Promise<TakenArtifacts> {
  const taking = new Taking(run, folders);
  try {
    for (const name of run.stage.artifacts) {
      const artifact = result.artifacts[name];
      if (artifact === undefined) throw new RangeError(`${run.stage.name} did not make ${name}`);
      await taking.take(name, artifact);
    }
  } catch (error) {
    // Nothing goes on behind the back of who reports the failure.
    await Promise.allSettled(taking.stored);
    throw error;
  }
  return taking.result();
}

type NewFile = Extract<NewArtifact, { kind: 'file' }>;

class Taking {
  readonly stored: Promise<void>[] = [];
  private readonly artifacts: Record<string, Artifact> = {};
  private readonly references = new Set<string>();
  private readonly hostFiles = new Set<string>();
  private readonly made = new Map<string, MadeFile>();

  constructor(
    private readonly run: StageRun,
    private readonly folders: StageFolders,
  ) {}

  async take(name: string, artifact: NewArtifact): Promise<void> {
    this.artifacts[name] =
      this.run.stage.keeping === 'digest' ? await this.leave(name, artifact) : await this.store(artifact);
  }

  result(): TakenArtifacts {
    return {
      artifacts: this.artifacts,
      references: [...this.references].sort(),
      hostFiles: [...this.hostFiles].sort(),
      stored: allStored(this.stored),
      made: this.made,
    };
  }

  /** A file that stays where the stage made it. */
  private async leave(name: string, artifact: NewArtifact): Promise<Artifact> {
    if (artifact.kind !== 'file') throw new RangeError(`${this.run.stage.name}: ${name} is no file`);
    const size = this.sizeOf(artifact.path);
    const digest = await this.digestOf(artifact);
    this.made.set(name, { path: artifact.path, sha256: digest });
    return { sha256: digest, size, stored: false };
  }

  private async store(artifact: NewArtifact): Promise<Artifact> {
    switch (artifact.kind) {
      case 'file': {
        const size = this.sizeOf(artifact.path);
        const digest = await this.digestOf(artifact);
        this.storeFile(artifact.path, digest);
        return { sha256: digest, size, stored: true };
      }
      case 'bytes':
        return this.storeBytes(artifact.bytes);
      case 'tree': {
        const bytes = await this.encoded(artifact.tree);
        // A file of the user's is no part of the cache: whoever has the same key has the same file.
        for (const reference of sourcesOfTreeFile(bytes))
          (this.run.isHostFile(reference) ? this.hostFiles : this.references).add(reference);
        return this.storeBytes(bytes);
      }
    }
  }

  /** A tree as bytes; what it refers to and does not lie in the cache yet goes there with it. */
  private async encoded(tree: Tree): Promise<Buffer> {
    const { contents, options } = this.run;
    const path = join(this.folders.work, 'contents.pack');
    const pack = await packContents(tree, path, (source) => contents.knows(source), options.pace);
    const packed = pack.tree(contents.open(pack.sha256, path));
    const bytes = encodeTree(packed, (source) => contents.identify(source));
    if (sourcesOfTreeFile(bytes).includes(pack.sha256)) this.storeFile(path, pack.sha256);
    return bytes;
  }

  private storeFile(path: string, digest: string): void {
    const { cache } = this.run.options;
    const arriving = cache.scratch.path('blob');
    renameSync(path, arriving);
    this.stored.push(quiet(cache.addFile(arriving, digest)));
  }

  private storeBytes(bytes: Uint8Array): Artifact {
    const digest = sha256(bytes);
    this.stored.push(quiet(this.run.options.cache.addBytes(bytes, digest)));
    return { sha256: digest, size: bytes.length, stored: true };
  }

  private async digestOf({ path, sha256, data }: NewFile): Promise<string> {
    if (sha256 !== undefined) return sha256;
    const { pace, jobs } = this.run.options;
    const known = data === undefined ? undefined : { size: data.size, ranges: [...data.ranges()] };
    const digest = jobs === 1 ? digestOfFile(path, pace, known) : digestOfFileAside(path, pace, known);
    return (await digest).sha256;
  }

  /** Length of a file that the stage made. What lies elsewhere, an input perhaps, is not its to give away. */
  private sizeOf(path: string): number {
    const { name } = this.run.stage;
    const { work, artifacts } = this.folders;
    if (!isInside(path, work) && !isInside(path, artifacts))
      throw new RangeError(`${name} hands over ${path}, which it did not make`);
    const status = lstatSync(path);
    if (!status.isFile()) throw new RangeError(`${name} hands over ${path}, which is no file`);
    return status.size;
  }
}

function isInside(path: string, folder: string): boolean {
  const [first] = relative(folder, path).split('/');
  return first !== '' && first !== '..';
}

async function allStored(stored: readonly Promise<void>[]): Promise<void> {
  const failed = (await Promise.allSettled(stored)).find((result) => result.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
}

/** A failure is reported where the promise is waited for; until then it must not end the process. */
function quiet(promise: Promise<void>): Promise<void> {
  promise.catch(() => {});
  return promise;
}
