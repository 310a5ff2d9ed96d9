import { type Diagnostic, hostError } from '../../images/diagnostic.js';

/**
 * One attempt to get a file has failed, for a reason that lies with the server or the way there. What lies with this
 * host, such as a full disk, is a DiagnosticError instead: no other server helps then.
 */
export class TransferFault extends Error {
  readonly diagnostic: Diagnostic;
  /** Whether the same server may do better the next time. */
  readonly retry: boolean;
  /** How long the server asks to be left alone, in milliseconds. */
  readonly wait: number | undefined;

  constructor(
    url: string,
    reason: string,
    { hint = defaultHint, retry = false, wait, excerpt, cause }: TransferFaultOptions = {},
  ) {
    const { message, diagnostics } = hostError(`cannot download ${url}: ${reason}`, hint);
    super(message, { cause });
    this.name = 'TransferFault';
    this.retry = retry;
    this.wait = wait;
    this.diagnostic = { ...diagnostics[0]!, ...(excerpt === undefined ? {} : { excerpt }) };
  }
}

export interface TransferFaultOptions {
  readonly hint?: string;
  readonly retry?: boolean;
  readonly wait?: number | undefined;
  readonly excerpt?: readonly string[];
  readonly cause?: unknown;
}

const defaultHint =
  'Run it again later, name another URL in the recipe, or give a file that you have with --set.';

/** Failures of a connection by their code: what they mean, and whether trying again may help. */
const connectionFailures: Record<string, readonly [meaning: string, retry: boolean]> = {
  ECONNREFUSED: ['the connection was refused', true],
  ECONNRESET: ['the connection broke', true],
  EPIPE: ['the connection broke', true],
  UND_ERR_SOCKET: ['the connection broke', true],
  UND_ERR_RES_CONTENT_LENGTH_MISMATCH: ['the body ended before its announced length', true],
  ETIMEDOUT: ['no connection in time', true],
  UND_ERR_CONNECT_TIMEOUT: ['no connection in time', true],
  EHOSTUNREACH: ['the host cannot be reached', true],
  ENETUNREACH: ['the network cannot be reached', true],
  EAI_AGAIN: ['the name service does not answer', true],
  ENOTFOUND: ['there is no host of that name', false],
  CERT_HAS_EXPIRED: ['the certificate of the server has expired', false],
  DEPTH_ZERO_SELF_SIGNED_CERT: ['the certificate of the server is self-signed', false],
  SELF_SIGNED_CERT_IN_CHAIN: ['the certificate of the server is signed by an unknown authority', false],
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: ['the certificate of the server cannot be verified', false],
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: ['the certificate of the server cannot be verified', false],
  ERR_TLS_CERT_ALTNAME_INVALID: ['the certificate of the server is for another host', false],
};

const certificateHint =
  'For an authority of your own set NODE_EXTRA_CA_CERTS to its certificate; otherwise use another URL.';

/** What fetch threw, as a fault. */
export function connectionFault(url: string, error: unknown): TransferFault {
  const code = codeOf(error);
  const known = code === undefined ? undefined : connectionFailures[code];
  if (known === undefined) {
    // A refused port or a protocol error: fetch hides the reason in a chain of causes.
    const retry = code !== undefined;
    return new TransferFault(url, code === undefined ? reasonOf(error) : `${reasonOf(error)} (${code})`, {
      retry,
      cause: error,
    });
  }
  const [meaning, retry] = known;
  const isCertificate = !retry && code !== 'ENOTFOUND';
  return new TransferFault(url, `${meaning} (${code})`, {
    retry,
    cause: error,
    ...(isCertificate ? { hint: certificateHint } : {}),
  });
}

/** Causes are nested two or three deep; the bound is for chains that bite their tail. */
const CAUSES = 8;

function causesOf(error: unknown): Error[] {
  const chain: Error[] = [];
  for (let next = error; next instanceof Error && chain.length < CAUSES; ) {
    chain.push(next);
    // Of several addresses that were tried, the first tells enough.
    next = next instanceof AggregateError ? next.errors[0] : next.cause;
  }
  return chain;
}

function codeOf(error: unknown): string | undefined {
  for (const cause of causesOf(error)) {
    if ('code' in cause && typeof cause.code === 'string') return cause.code;
  }
  return undefined;
}

function reasonOf(error: unknown): string {
  return (causesOf(error).at(-1)?.message ?? String(error)).slice(0, 200);
}
