import { statSync } from 'node:fs';
import type { Pace } from '../../images/bytes/pace.js';
import { type DiagnosticError, hostError } from '../../images/diagnostic.js';
import { canonicalJson, type JsonValue } from '../cache/canonical-json.js';
import type { KeyFields } from '../cache/record.js';
import { fileState, type StatCache } from '../cache/stat-cache.js';
import { codeDigest } from './code-digest.js';
import { type DirectoryInput, readDirectoryInput } from './directory-input.js';
import type { Stage, StageInput } from './stage.js';
import { toolVersion } from './tool-version.js';

/** How trees come from directories and go into the cache is a part of what every stage makes. */
const treeModules = ['./directory-input.js', '../../images/tree/tree-file.js', '../../images/tree/pack.js'];

/** What a stage reads that no stage made. */
export type HostInput = Exclude<StageInput, { kind: 'artifact' }>;

/** An input as the key sees it. */
export interface ResolvedInput {
  readonly sha256: string;
  readonly size: number;
  /** For files whose mode counts. */
  readonly isExecutable?: boolean;
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

  resolve(input: HostInput): Promise<ResolvedInput> {
    const id = idOf(input);
    let resolved = this.resolved.get(id);
    if (resolved === undefined) {
      resolved = this.read(input, id);
      this.resolved.set(id, resolved);
    }
    return resolved;
  }

  private async read(input: HostInput, id: string): Promise<ResolvedInput> {
    if (input.kind === 'file') {
      this.states.set(id, fileState(input.path));
      const digest = await this.statCache.digest(input.path, this.pace);
      if (input.mode !== true) return digest;
      const isExecutable = (statSync(input.path).mode & 0o100) !== 0;
      return { ...digest, isExecutable };
    }
    const directory = await readDirectoryInput(input.path, input.what, this.statCache, this.pace);
    this.states.set(id, directory.state);
    return { sha256: directory.sha256, size: directory.size, directory };
  }

  /** Throws a DiagnosticError when an input is not what it was when its digest was taken. */
  async checkUnmoved(input: HostInput): Promise<void> {
    const before = this.states.get(idOf(input));
    const now =
      input.kind === 'file'
        ? fileState(input.path)
        : (await readDirectoryInput(input.path, input.what, this.statCache, this.pace)).state;
    if (before !== now) throw movedFault(input.path);
  }
}

export function movedFault(file: string): DiagnosticError {
  return hostError(
    'it changed while the build read it, so what was made of it is thrown away',
    'Run it again when nothing writes there.',
    { file },
  );
}

function idOf(input: HostInput): string {
  const { kind, path } = input;
  return `${kind} ${kind === 'file' ? (input.mode === true ? 'mode' : '') : input.what} ${path}`;
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
  for (const [name, resolved] of inputs) fields[`input ${name}`] = inputField(resolved, stage.inputs[name]);
  for (const tool of stage.tools) fields[`tool ${tool.program}`] = (await toolVersion(tool)) ?? 'missing';
  return fields;
}

function inputField({ sha256, isExecutable }: ResolvedInput, input: StageInput | undefined): string {
  const words = [sha256];
  if (isExecutable === true) words.push('executable');
  if (input?.kind === 'file' && input.inPlace === true) words.push('in place');
  return words.join(' ');
}

/**
 * The values in a parameter, by path, such as `pools[0].name`: so a changed one can be named. No two parameters give
 * the same: names that could be taken for something else are quoted.
 */
function* leavesOf(value: JsonValue | undefined, path: string): Generator<readonly [string, string]> {
  if (value === undefined) return;
  if (typeof value !== 'object' || value === null) {
    yield [path, canonicalJson(value)];
    return;
  }
  const isList = Array.isArray(value);
  const entries = Object.entries(value as Readonly<Record<string, JsonValue | undefined>>);
  if (entries.length === 0) yield [path, isList ? '[]' : '{}'];
  for (const [name, inner] of entries) {
    const plain = /^[\w-]+$/.test(name) ? (path === '' ? name : `.${name}`) : `[${JSON.stringify(name)}]`;
    yield* leavesOf(inner, `${path}${isList ? `[${name}]` : plain}`);
  }
}
