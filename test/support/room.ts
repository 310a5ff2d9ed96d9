import { spawnSync } from 'node:child_process';
import { realpathSync } from 'node:fs';
import { run } from './programs.js';

export interface RoomResult {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * A view of this host that lacks something, made by bubblewrap: what runs in it sees other folders and devices. The
 * host itself stays as it is.
 */
export class Room {
  constructor(
    private readonly view: readonly string[],
    private readonly before: readonly string[] = [],
  ) {}

  run(command: readonly string[], environment: Readonly<Record<string, string>> = {}): RoomResult {
    const { status, stdout, stderr, error } = spawnSync(
      'bwrap',
      ['--die-with-parent', ...this.view, '--', ...this.before, ...command],
      {
        encoding: 'utf8',
        timeout: 300_000,
        env: { PATH: '/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', HOME: '/nonexistent', ...environment },
      },
    );
    if (error !== undefined) throw error;
    return { status, stdout, stderr };
  }
}

/** Node.js with its libraries, and folders to read; beyond that nothing at all, not even a shell. */
export function bareMachine(folders: readonly string[]): string[] {
  const libraries = run('ldd', [process.execPath])
    .split('\n')
    .map((line) => /(\/\S+) \(0x/.exec(line)?.[1])
    .filter((library) => library !== undefined);
  return [
    ...[process.execPath, ...libraries].flatMap((path) => ['--ro-bind', realpathSync(path), path]),
    ...folders.flatMap((path) => ['--ro-bind', path, path]),
    ...['--proc', '/proc', '--dev', '/dev'],
  ];
}

/** All of this host, but for the devices: those that any container has. */
export const withoutDevices = ['--bind', '/', '/', '--dev', '/dev'];

/** All of this host, with empty files in the places of some programs that nobody may run. */
export function withoutPrograms(paths: readonly string[]): string[] {
  return ['--dev-bind', '/', '/', ...paths.flatMap((path) => ['--ro-bind', '/dev/null', path])];
}

/** All of this host, with a small disk of its own at a folder that is there. */
export function withSmallDisk(folder: string, bytes: number): string[] {
  return ['--dev-bind', '/', '/', '--perms', '0777', '--size', `${bytes}`, '--tmpfs', folder];
}
