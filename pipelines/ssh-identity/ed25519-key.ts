import { createPrivateKey, createPublicKey, hkdfSync, type KeyObject } from 'node:crypto';
import { hostError } from '../../images/diagnostic.js';
import { SshReader, sshString } from './ssh-wire.js';

/** An Ed25519 key pair: the secret and the public key, 32 bytes each (RFC 8032, section 5.1.5). */
export interface Ed25519Key {
  readonly secret: Buffer;
  readonly public: Buffer;
}

const TYPE = 'ssh-ed25519';
const KEY_BYTES = 32;
/** A PKCS #8 private key without its last 32 bytes, the secret (RFC 8410, section 7). */
const PKCS8_PREFIX = Buffer.from('302e020100300506032b657004220420', 'hex');
const OPENSSH =
  /^-----BEGIN OPENSSH PRIVATE KEY-----\s+([A-Za-z0-9+/=\s]+)-----END OPENSSH PRIVATE KEY-----\s*$/;

/** A key of its own for each purpose, from one seed: always the same (HKDF with SHA-256, RFC 5869). */
export function deriveKey(seed: string, purpose: string): Ed25519Key {
  const secret = Buffer.from(
    hkdfSync('sha256', Buffer.from(seed, 'utf8'), 'ssi-images', `ssh ${purpose}`, KEY_BYTES),
  );
  return keyOfSecret(secret);
}

/** A private key that somebody made with ssh-keygen, dropbearkey or openssl. Throws a DiagnosticError for any other. */
export function parsePrivateKey(bytes: Buffer, file: string): Ed25519Key {
  const text = bytes.toString('latin1');
  const openssh = OPENSSH.exec(text);
  if (openssh !== null) return fromOpenSsh(Buffer.from(openssh[1] ?? '', 'base64'), file);
  if (text.startsWith('-----BEGIN ')) return fromPem(bytes, file);
  return fromDropbear(bytes, file);
}

/** Dropbear's file of a private key: its type, and the secret with the public key. */
export function dropbearKey(key: Ed25519Key): Buffer {
  return Buffer.concat([sshString(TYPE), sshString(Buffer.concat([key.secret, key.public]))]);
}

/** The public key as `authorized_keys` and `known_hosts` have it: type and base64 (RFC 4253, section 6.6). */
export function publicKeyLine(key: Ed25519Key): string {
  return `${TYPE} ${Buffer.concat([sshString(TYPE), sshString(key.public)]).toString('base64')}`;
}

function keyOfSecret(secret: Buffer): Ed25519Key {
  const object = createPrivateKey({
    key: Buffer.concat([PKCS8_PREFIX, secret]),
    format: 'der',
    type: 'pkcs8',
  });
  return { secret, public: publicBytes(object) };
}

function publicBytes(object: KeyObject): Buffer {
  const der = createPublicKey(object).export({ format: 'der', type: 'spki' });
  return der.subarray(der.length - KEY_BYTES);
}

function fromPem(bytes: Buffer, file: string): Ed25519Key {
  let object: KeyObject;
  try {
    object = createPrivateKey(bytes);
  } catch {
    throw noKey(file, 'it is no private key, or one with a passphrase');
  }
  if (object.asymmetricKeyType !== 'ed25519')
    throw noKey(file, `it is a key of the type ${object.asymmetricKeyType ?? 'unknown'}`);
  const der = object.export({ format: 'der', type: 'pkcs8' });
  return keyOfSecret(Buffer.from(der.subarray(PKCS8_PREFIX.length, PKCS8_PREFIX.length + KEY_BYTES)));
}

/** OpenSSH's own format (PROTOCOL.key in its sources): a header, the public key, and the private part. */
function fromOpenSsh(bytes: Buffer, file: string): Ed25519Key {
  const magic = Buffer.from('openssh-key-v1\0', 'latin1');
  if (!bytes.subarray(0, magic.length).equals(magic)) throw noKey(file, 'it is damaged');
  const reader = new SshReader(bytes.subarray(magic.length), () => noKey(file, 'it is cut off'));
  const cipher = reader.text();
  reader.text(); // the name of the function that makes a key of a passphrase
  reader.string(); // and its options
  if (cipher !== 'none') throw noKey(file, 'it has a passphrase');
  if (reader.number() !== 1) throw noKey(file, 'it holds several keys');
  reader.string(); // the public key again
  const inner = new SshReader(reader.string(), () => noKey(file, 'it is cut off'));
  const [check, again] = [inner.number(), inner.number()];
  if (check !== again) throw noKey(file, 'it is damaged');
  const type = inner.text();
  if (type !== TYPE) throw noKey(file, `it is a key of the type ${type.slice(0, 40)}`);
  const shown = inner.string();
  return keyOfPair(inner.string(), file, shown);
}

function fromDropbear(bytes: Buffer, file: string): Ed25519Key {
  const reader = new SshReader(bytes, () => noKey(file, 'it is in no format of ssh-keygen or dropbearkey'));
  const type = reader.text();
  if (!type.startsWith('ssh-') && !type.startsWith('ecdsa-'))
    throw noKey(file, 'it is in no format of ssh-keygen or dropbearkey');
  if (type !== TYPE) throw noKey(file, `it is a key of the type ${type.slice(0, 40)}`);
  return keyOfPair(reader.string(), file);
}

/** The secret and the public key behind it; `shown` is the public key as the file has it elsewhere. */
function keyOfPair(pair: Buffer, file: string, shown?: Buffer): Ed25519Key {
  if (pair.length !== 2 * KEY_BYTES) throw noKey(file, 'it is damaged');
  const key = keyOfSecret(Buffer.from(pair.subarray(0, KEY_BYTES)));
  const isSound = key.public.equals(pair.subarray(KEY_BYTES)) && (shown?.equals(key.public) ?? true);
  if (!isSound) throw noKey(file, 'its public key does not belong to its private key');
  return key;
}

function noKey(file: string, reason: string) {
  return hostError(
    `no Ed25519 key that the nodes can use: ${reason}`,
    "Make one with: ssh-keygen -t ed25519 -N '' -f FILE",
    { file },
  );
}
