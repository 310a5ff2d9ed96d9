import { createHash } from 'node:crypto';
import { readBytes } from '../../images/bytes/byte-source.js';
import { byteStringFromText } from '../../images/bytes/byte-string.js';
import { hostError } from '../../images/diagnostic.js';
import type { Tree } from '../../images/tree/tree.js';
import { TreeBuilder } from '../../images/tree/tree-builder.js';
import type { Stage, StageContext, StageInput } from '../engine/stage.js';
import type { ClusterSettings } from '../recipe/recipe.js';
import { deriveKey, type Ed25519Key, parsePrivateKey } from '../ssh-identity/ed25519-key.js';
import { identityFiles, type SshIdentity } from '../ssh-identity/ssh-identity.js';

const TITLE = 'Make the keys of the nodes';
/** No key of this kind is longer. */
const KEY_FILE_BYTES_MAX = 64 * 1024;

/** The keys of the nodes from a seed. It is a secret: what is recorded of the stage has its digest only. */
export function derivedIdentityStage({ addresses }: ClusterSettings, seed: string): Stage {
  return {
    name: 'ssh-identity',
    title: TITLE,
    module: import.meta.url,
    parameters: {
      addresses: [...addresses],
      seed: createHash('sha256').update('ssi-images ssh seed\n').update(seed).digest('hex'),
    },
    inputs: {},
    tools: [],
    artifacts: ['tree'],
    keeping: 'stored',
    run: async () => {
      const identity = { hostKey: deriveKey(seed, 'host key'), userKey: deriveKey(seed, 'user key') };
      return { artifacts: { tree: { kind: 'tree', tree: treeOf(identity, addresses) } } };
    },
  };
}

/** The keys of the nodes as the user gives them. */
export function givenIdentityStage(
  { addresses }: ClusterSettings,
  hostKey: { readonly input: StageInput; readonly file: string },
  userKey: { readonly input: StageInput; readonly file: string },
): Stage {
  return {
    name: 'ssh-identity',
    title: TITLE,
    module: import.meta.url,
    parameters: { addresses: [...addresses] },
    inputs: { 'host-key': hostKey.input, 'user-key': userKey.input },
    tools: [],
    artifacts: ['tree'],
    keeping: 'stored',
    run: async (context) => {
      const identity = {
        hostKey: await keyOf(context, 'host-key', hostKey.file),
        userKey: await keyOf(context, 'user-key', userKey.file),
      };
      return { artifacts: { tree: { kind: 'tree', tree: treeOf(identity, addresses) } } };
    },
  };
}

async function keyOf(context: StageContext, input: string, file: string): Promise<Ed25519Key> {
  const source = await context.inputSource(input);
  if (source.size > KEY_FILE_BYTES_MAX) throw hostError('it is too long for a key', undefined, { file });
  return parsePrivateKey(readBytes(source, 0, source.size), file);
}

function treeOf(identity: SshIdentity, addresses: readonly string[]): Tree {
  const mtime = { seconds: 0, nanoseconds: 0 };
  const own = { uid: 0, gid: 0, mtime };
  const builder = new TreeBuilder({ ...own, mode: 0o755 });
  for (const path of ['/etc', '/etc/dropbear', '/root', '/root/.ssh']) {
    const mode = path.startsWith('/root') ? 0o700 : 0o755;
    builder.directory(byteStringFromText(path), { ...own, mode });
  }
  for (const { path, mode, content } of identityFiles(identity, addresses)) {
    const bytes = { kind: 'inline', bytes: content } as const;
    builder.put(byteStringFromText(path), {
      ...own,
      type: 'file',
      mode,
      size: content.length,
      content: bytes,
    });
  }
  return builder.build();
}
