import {
  chmodSync,
  copyFileSync,
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const CHECKOUT = fileURLToPath(new URL('../..', import.meta.url));

/**
 * Copies what this project needs to run, compiled code, recipes and libraries, into a new folder. The directories that
 * recipes name are made in another order than they have here, and their files have other modes and times.
 */
export function copyCheckout(to: string): void {
  mkdirSync(to);
  const copy = (path: string): void => {
    mkdirSync(dirname(join(to, path)), { recursive: true });
    cpSync(join(CHECKOUT, path), join(to, path), { recursive: true });
  };
  for (const path of ['dist', 'recipes', 'package.json', ...librariesOf()]) copy(path);
  const tools = join('recipes', 'sample', 'cluster-tools');
  rmSync(join(to, tools), { recursive: true });
  copyBackwards(join(CHECKOUT, tools), join(to, tools));
}

/** Folders of the libraries that are needed at run time. */
function librariesOf(): string[] {
  const lock = JSON.parse(readFileSync(join(CHECKOUT, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, { dev?: boolean }>;
  };
  return Object.entries(lock.packages)
    .filter(([path, { dev }]) => path !== '' && dev !== true)
    .map(([path]) => path);
}

/** The last name first. What is executable stays so; all else of the modes goes. */
function copyBackwards(from: string, to: string): void {
  mkdirSync(to, { mode: 0o700 });
  for (const name of readdirSync(from).sort().reverse()) {
    const [source, target] = [join(from, name), join(to, name)];
    if (statSync(source).isDirectory()) copyBackwards(source, target);
    else {
      copyFileSync(source, target);
      chmodSync(target, (statSync(source).mode & 0o100) === 0 ? 0o600 : 0o700);
    }
  }
}
