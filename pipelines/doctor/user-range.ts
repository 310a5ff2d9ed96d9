import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { findProgram, PROGRAM_FOLDERS } from '../program-folders.js';
import { type Finding, missing, ok } from './finding.js';

const TOPIC = 'user namespaces';

/** Whether a program that does nothing runs in a user namespace: sysctls, chroots and containers forbid it in different ways. */
export function namespaceFault(): string | undefined {
  const unshare = findProgram('unshare');
  if (unshare === undefined) return 'the program unshare is missing';
  const { status } = spawnSync(unshare, ['--user', '--map-root-user', 'true'], {
    stdio: 'ignore',
    timeout: 10_000,
    env: { PATH: PROGRAM_FOLDERS.join(':') },
  });
  return status === 0 ? undefined : 'this user may not make user namespaces';
}

/** Whether an ordinary user can be many users in a namespace, as mmdebstrap has it (subuid(5), newuidmap(1)). */
export function userRangeFinding(): Finding {
  const fault = namespaceFault();
  if (fault !== undefined)
    return missing(
      TOPIC,
      fault,
      fault.includes('unshare')
        ? 'Install it (Debian package util-linux).'
        : 'Allow them (sysctl user.max_user_namespaces, kernel.unprivileged_userns_clone=1, on Ubuntu kernel.apparmor_restrict_unprivileged_userns=0), or run it as root.',
    );
  for (const program of ['newuidmap', 'newgidmap'])
    if (findProgram(program) === undefined)
      return missing(TOPIC, `the program ${program} is missing`, 'Install it (Debian package uidmap).');
  const name = ownName();
  for (const file of ['/etc/subuid', '/etc/subgid'])
    if (!hasRange(file, name))
      return missing(
        TOPIC,
        `${file} has no range for ${name}`,
        `usermod --add-subuids 100000-165535 --add-subgids 100000-165535 ${name}, or run it as root.`,
      );
  return ok(TOPIC, `${name} may make them, with a range of users and groups`);
}

function ownName(): string {
  try {
    return userInfo().username;
  } catch {
    // A user that /etc/passwd does not know.
    return `${process.getuid?.()}`;
  }
}

/** mmdebstrap takes the first line with the user's name, and wants the names of a whole system in it. */
function hasRange(file: string, name: string): boolean {
  try {
    const line = readFileSync(file, 'utf8')
      .split('\n')
      .find((each) => each.startsWith(`${name}:`));
    return line !== undefined && /^[^:]*:\d+:[1-9]\d*$/.test(line);
  } catch {
    return false;
  }
}
