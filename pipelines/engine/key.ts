import type { Pace } from '../../images/bytes/pace.js';
import { hostError } from '../../images/diagnostic.js';
import { canonicalJson, type JsonValue } from '../cache/canonical-json.js';
import type { KeyFields } from '../cache/record.js';
import { fileState, type StatCache } from '../cache/stat-cache.js';
import { codeDigest } from './code-digest.js';
import { type DirectoryInput, readDirectoryInput } from './directory-input.js';
import type { Stage, StageInput } from './stage.js';
import { toolVersion } from './tool-version.js';

/** How trees come from directories and go into the cache is a part of what every stage makes. */
const treeModules = ['./directory-input.js', '../../images/tree/tree-file.js', '../../images/tree/pack.js'];

/** An input as the key sees it. */
export interface ResolvedInput {
  readonly sha256: string;
  readonly size: number;
  /** For directories. */
  readonly directory?: DirectoryInput;
}

/** The digests of files and directories on the host, each found once a build. */
export class HostInputs {
  private readonly resolved = new Map<string, Promise<ResolvedInput>>();
  /** What shows whether a file changed, as it was before it was read. */
  private readonly states = new Map<string, string | undefined>();

  constructor(
    private readonly statCache: StatCache,
    private readonly pace: Pace,
  ) {}

  resolve(input: Exclude<StageInput, { kind: 'artifact' }>): Promise<ResolvedInput> {
    const id = idOf(input);
    let resolved = this.resolved.get(id);
    if (resolved === undefined) {
      resolved = this.read(input, id);
      this.resolved.set(id, resolved);
    }
    return resolved;
  }

  private async read(
    input: Exclude<StageInput, { kind: 'artifact' }>,
    id: string,
  ): Promise<ResolvedInput> {
    if (input.kind === 'file') {
      this.states.set(id, fileState(input.path));
      return this.statCache.digest(input.path, this.pace);
    }
    const directory = await readDirectoryInput(input.path, input.what, this.statCache, this.pace);
    this.states.set(id, directory.state);
    return { sha256: directory.sha256, size: directory.size, directory };
  }

  /** Throws a DiagnosticError when an input is not what it was when its digest was taken. */
  async checkUnmoved(input: StageInput): Promise<void> {
    if (input.kind === 'artifact') return;
    const before = this.states.get(idOf(input));
    const now =
      input.kind === 'file'
        ? fileState(input.path)
        : (await readDirectoryInput(input.path, input.what, this.statCache, this.pace)).state;
    if (before === now) return;
    throw hostError(
      'it changed while the build read it, so what was made of it is thrown away',
      'Run it again when nothing writes there.',
      { file: input.path },
    );
  }
}

function idOf(input: Exclude<StageInput, { kind: 'artifact' }>): string {
  return input.kind === 'file' ? `file ${input.path}` : `directory ${input.what} ${input.path}`;
}

/**
 * Everything that decides what a stage makes, and nothing else: no time, no path, no user. `inputs` are in the order
 * of the stage's.
 */
export async function keyFieldsOf(
  stage: Stage,
  inputs: ReadonlyMap<string, ResolvedInput>,
): Promise<KeyFields> {
  const fields: Record<string, string> = {
    stage: stage.name,
    code: codeDigest(stage.module),
    trees: canonicalJson(treeModules.map((path) => codeDigest(new URL(path, import.meta.url).href))),
  };
  for (const [path, value] of leavesOf(stage.parameters, '')) fields[`parameter ${path}`] = value;
  for (const [name, { sha256 }] of inputs) fields[`input ${name}`] = sha256;
  for (const tool of stage.tools) fields[`tool ${tool.program}`] = (await toolVersion(tool)) ?? 'missing';
  return fields;
}

/** The values in a parameter, by path: so a changed one can be named. */
function* leavesOf(value: JsonValue | undefined, path: string): Generator<readonly [string, string]> {
  if (value === undefined) return;
  if (typeof value !== 'object' || value === null) {
    yield [path, canonicalJson(value)];
    return;
  }
  const entries = Object.entries(value);
  if (entries.length === 0) yield [path, Array.isArray(value) ? '[]' : '{}'];
  for (const [name, inner] of entries) yield* leavesOf(inner, path === '' ? name : `${path}.${name}`);
}
