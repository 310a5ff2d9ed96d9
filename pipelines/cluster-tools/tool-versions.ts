import { findProgram } from '../program-folders.js';
import { runProgram } from './run-program.js';
import type { Sandbox } from './sandbox.js';

const SECONDS = 10;
const TEXT_MAX = 200;

/** The first line that each program prints about its version, of those that take part in an installation. */
export async function programVersions({ kind, ownership }: Sandbox): Promise<Record<string, string>> {
  const names = [
    'make',
    ...(kind === 'none' ? [] : [kind]),
    ...(ownership === 'fakeroot' ? ['fakeroot'] : []),
  ];
  const versions: Record<string, string> = {};
  for (const name of names) {
    const version = await versionOf(name);
    if (version !== undefined) versions[name] = version;
  }
  return versions;
}

async function versionOf(name: string): Promise<string | undefined> {
  const path = findProgram(name);
  if (path === undefined) return undefined;
  let text = '';
  await runProgram([path, '--version'], {
    cwd: '/',
    environment: { PATH: '/usr/bin:/bin', LC_ALL: 'C' },
    timeLimit: SECONDS,
    onOutput: (chunk) => {
      if (text.length < TEXT_MAX) text += chunk.toString('latin1');
    },
  });
  return text.split('\n')[0]?.slice(0, TEXT_MAX);
}
