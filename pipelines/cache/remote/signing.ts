import {
  createHmac,
  createPrivateKey,
  createPublicKey,
  type KeyObject,
  sign,
  timingSafeEqual,
  verify,
} from 'node:crypto';
import { usageError } from '../../../images/diagnostic.js';

/** A shared secret is at least so long, in bytes: a shorter one can be guessed. */
const SECRET_BYTES_MIN = 16;

export interface Signature {
  readonly algorithm: 'hmac-sha256' | 'ed25519';
  /** Base64. */
  readonly value: string;
}

/** Who may make entries that this machine uses, and how its own are signed. */
export interface Trust {
  /** Whether what this machine makes is of use to those who trust as it does. */
  readonly canSign: boolean;
  /** Undefined when no signature is asked for, or this machine can't sign. */
  sign(message: Buffer): Signature | undefined;
  accepts(message: Buffer, signature: Signature | undefined): boolean;
}

/** Where no key is given anybody is trusted who can write to the remote cache. */
export const trustAll: Trust = { canSign: true, sign: () => undefined, accepts: () => true };

/**
 * The keys in the environment: SSI_IMAGES_REMOTE_KEY, a secret that all share; or SSI_IMAGES_REMOTE_SIGNING_KEY, an
 * ed25519 private key for those who may write, and SSI_IMAGES_REMOTE_TRUSTED_KEYS, public keys with blanks between
 * them, for all. Keys are PEM, or the same in base64 without its first and last line. Throws a DiagnosticError.
 */
export function trustIn(environment: NodeJS.ProcessEnv): Trust {
  const secret = environment.SSI_IMAGES_REMOTE_KEY ?? '';
  const signing = environment.SSI_IMAGES_REMOTE_SIGNING_KEY ?? '';
  const trusted = environment.SSI_IMAGES_REMOTE_TRUSTED_KEYS ?? '';
  if (secret !== '' && (signing !== '' || trusted !== ''))
    throw usageError(
      'SSI_IMAGES_REMOTE_KEY excludes SSI_IMAGES_REMOTE_SIGNING_KEY and SSI_IMAGES_REMOTE_TRUSTED_KEYS',
      'Share a secret, or sign with ed25519.',
    );
  if (secret !== '') return sharedSecret(secret);
  if (signing === '' && trusted === '') return trustAll;
  return keyPair(signing, trusted);
}

function sharedSecret(secret: string): Trust {
  if (Buffer.byteLength(secret) < SECRET_BYTES_MIN)
    throw usageError(
      `SSI_IMAGES_REMOTE_KEY: a secret of at least ${SECRET_BYTES_MIN} characters belongs here`,
      'Make one: openssl rand -hex 32',
    );
  const digest = (message: Buffer): Buffer => createHmac('sha256', secret).update(message).digest();
  return {
    canSign: true,
    sign: (message) => ({ algorithm: 'hmac-sha256', value: digest(message).toString('base64') }),
    accepts: (message, signature) => {
      if (signature?.algorithm !== 'hmac-sha256') return false;
      const [given, right] = [Buffer.from(signature.value, 'base64'), digest(message)];
      return given.length === right.length && timingSafeEqual(given, right);
    },
  };
}

function keyPair(signing: string, trusted: string): Trust {
  const own = signing === '' ? undefined : readKey('SSI_IMAGES_REMOTE_SIGNING_KEY', signing, 'PRIVATE KEY');
  const keys = keysIn(trusted).map((text) => readKey('SSI_IMAGES_REMOTE_TRUSTED_KEYS', text, 'PUBLIC KEY'));
  // Who signs trusts what he signed.
  if (own !== undefined) keys.push(createPublicKey(own));
  return {
    canSign: own !== undefined,
    sign: (message) =>
      own === undefined
        ? undefined
        : { algorithm: 'ed25519', value: sign(null, message, own).toString('base64') },
    accepts: (message, signature) =>
      signature?.algorithm === 'ed25519' &&
      keys.some((key) => verify(null, message, key, Buffer.from(signature.value, 'base64'))),
  };
}

/** PEM blocks, or words of base64. */
function keysIn(text: string): string[] {
  if (text.includes('-----')) return text.match(/-----BEGIN [^-]+-----[^-]+-----END [^-]+-----/g) ?? [text];
  return text.split(/[\s,]+/).filter((word) => word !== '');
}

function readKey(variable: string, text: string, label: 'PRIVATE KEY' | 'PUBLIC KEY'): KeyObject {
  const pem = text.includes('-----')
    ? text
    : `-----BEGIN ${label}-----\n${text.trim()}\n-----END ${label}-----\n`;
  try {
    const key = label === 'PRIVATE KEY' ? createPrivateKey(pem) : createPublicKey(pem);
    if (key.asymmetricKeyType === 'ed25519') return key;
  } catch {
    // The same fault as a key of another kind. What is wrong with it in detail may say too much.
  }
  throw usageError(
    `${variable}: an ed25519 ${label.toLowerCase()} belongs here`,
    'Make one: openssl genpkey -algorithm ed25519 -out key.pem; openssl pkey -in key.pem -pubout',
  );
}
