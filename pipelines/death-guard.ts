/**
 * Text for bash, in front of `exec COMMAND`: ends the command's process group when the process that started it is gone,
 * also by SIGKILL, which leaves that one no chance to do it. For this a process in the background, in the same group,
 * waits for the end of a pipe: the command must be started with a pipe as its file descriptor 3, and in a process group
 * of its own. When the command has ended, the guard is still there: end its group, or the pipe.
 *
 * `before` is done first: text for bash.
 */
export function deathGuard(signal: 'KILL' | 'TERM', before = ':'): string {
  return `(read -r _ <&3; ${before}; kill -${signal} 0) >/dev/null 2>&1 & exec 3<&-; `;
}
