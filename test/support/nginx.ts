import { spawn } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { run, tool } from './programs.js';

const siteFile = fileURLToPath(new URL('../../docs/ci/nginx.conf', import.meta.url));

/** Who may write, in the tests. */
export const nginxUser = { SSI_IMAGES_REMOTE_USER: 'ci-main', SSI_IMAGES_REMOTE_PASSWORD: 'not so secret' };

export interface Nginx {
  readonly url: string;
  readonly port: number;
  /** Where it keeps the objects. */
  readonly root: string;
  stop(): Promise<void>;
}

/** Starts nginx in a folder, on a loopback port, with the site that the documentation shows. */
export async function startNginx(folder: string): Promise<Nginx> {
  const port = await freePort();
  const root = join(folder, 'data');
  mkdirSync(join(root, 'tmp'), { recursive: true });
  const hash = run('openssl', ['passwd', '-apr1', nginxUser.SSI_IMAGES_REMOTE_PASSWORD]);
  writeFileSync(join(folder, 'htpasswd'), `${nginxUser.SSI_IMAGES_REMOTE_USER}:${hash}`);
  const site = readFileSync(siteFile, 'utf8')
    .replace('listen 8080', `listen 127.0.0.1:${port}`)
    .replaceAll('/var/lib/ssi-cache', root)
    .replaceAll('/etc/nginx/ssi-cache.htpasswd', join(folder, 'htpasswd'));
  writeFileSync(join(folder, 'site.conf'), site);
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (name) => `${name}_temp_path ${join(folder, name)};`,
  );
  const lines = [
    'daemon off; master_process off;',
    // Else it gives up its rights, and can't read this folder.
    process.getuid?.() === 0 ? 'user root root;' : '',
    `pid ${join(folder, 'pid')}; error_log ${join(folder, 'error.log')};`,
    'events { worker_connections 512; }',
    `http { ${temporary.join(' ')} include ${join(folder, 'site.conf')}; }`,
  ];
  writeFileSync(join(folder, 'nginx.conf'), `${lines.join('\n')}\n`);
  const child = spawn(
    tool('nginx'),
    ['-p', folder, '-c', join(folder, 'nginx.conf'), '-e', join(folder, 'error.log')],
    { stdio: 'ignore' },
  );
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const url = `http://127.0.0.1:${port}/`;
  for (let tries = 0; ; tries++) {
    if (await fetch(url).then(Boolean, () => false)) break;
    if (tries === 100 || child.exitCode !== null)
      throw new Error(`nginx does not start: ${readFileSync(join(folder, 'error.log'), 'utf8')}`);
    await sleep(50);
  }
  const stop = async (): Promise<void> => {
    child.kill('SIGKILL');
    await ended;
  };
  return { url, port, root, stop };
}

/** A port of this host that nobody listens on just now. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}
