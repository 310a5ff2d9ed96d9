import { type Diagnostic, type DiagnosticError, hostError } from '../diagnostic.js';

const explanations: Record<string, readonly [message: string, hint: string]> = {
  ENOENT: ['no such file or directory', 'Check the path.'],
  EACCES: ['permission denied', 'Make it readable (or its folder writable) for this user.'],
  EPERM: ['operation not permitted', 'This needs a right that this user lacks on this host.'],
  ENOSPC: ['no space left on the device', 'Free some space, or choose another folder, and run it again.'],
  EDQUOT: ['disk quota exceeded', 'Free some space, or choose another folder, and run it again.'],
  EFBIG: [
    'the file would be larger than this filesystem or the process limit allows',
    'Choose another folder (or raise ulimit -f).',
  ],
  EROFS: ['the filesystem is read-only', 'Choose another folder.'],
  EIO: ['input/output error', 'The disk or device below this file failed.'],
  EISDIR: ['it is a directory', 'Name a file.'],
  ENOTDIR: ['a part of the path is not a directory', 'Check the path.'],
  EEXIST: ['it exists already', 'Remove it first, or choose another name.'],
  EMFILE: ['too many open files', 'Raise ulimit -n.'],
  ENAMETOOLONG: ['the name is too long for this filesystem', 'Choose another destination.'],
};

/** The error code of a failed system call, or undefined when `cause` is no such error. */
export function systemErrorCode(cause: unknown): string | undefined {
  if (!(cause instanceof Error) || !('code' in cause)) return undefined;
  return typeof cause.code === 'string' ? cause.code : undefined;
}

/** Turns a failed system call on `name` into one clear message. Anything else is thrown on as it is. */
export function readableHostError(cause: unknown, name: string): DiagnosticError {
  const code = systemErrorCode(cause);
  if (code === undefined || !(cause instanceof Error) || !('syscall' in cause)) throw cause;
  const [message, hint] = explanations[code] ?? [cause.message, undefined];
  const error = hostError(message, hint, { file: name });
  error.cause = cause;
  return error;
}

/** Whether a message is that of a disk with no room, for a file or for a user. */
export function isFullDisk({ kind, message }: Diagnostic): boolean {
  return (
    kind === 'host' && [explanations.ENOSPC, explanations.EDQUOT].some((known) => known?.[0] === message)
  );
}
