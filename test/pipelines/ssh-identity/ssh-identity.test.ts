import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import {
  deriveKey,
  dropbearKey,
  parsePrivateKey,
  publicKeyLine,
} from '../../../pipelines/ssh-identity/ed25519-key.js';
import { identityFiles } from '../../../pipelines/ssh-identity/ssh-identity.js';
import { temporaryFolder } from '../../support/temporary.js';
import { describeWith, run, testWith } from '../../support/tools.js';

const folder = temporaryFolder();

function fileOf(name: string, bytes: Buffer | string): string {
  const path = join(folder, name);
  writeFileSync(path, bytes, { mode: 0o600 });
  return path;
}

describe('derived keys', () => {
  test('are the same for a seed, and others for another seed or purpose', () => {
    const key = deriveKey('a seed', 'host key');
    expect(deriveKey('a seed', 'host key')).toEqual(key);
    expect(deriveKey('a seed', 'user key').secret).not.toEqual(key.secret);
    expect(deriveKey('another', 'host key').secret).not.toEqual(key.secret);
    expect(parsePrivateKey(dropbearKey(key), 'k')).toEqual(key);
  });

  testWith(['dropbearkey'], 'are what Dropbear takes', () => {
    const key = deriveKey('a seed', 'host key');
    const shown = run('dropbearkey', ['-y', '-f', fileOf('dropbear', dropbearKey(key))]);
    expect(shown).toContain(publicKeyLine(key));
  });
});

describeWith(['ssh-keygen', 'dropbearkey'], 'keys that others made', () => {
  test('by ssh-keygen, in both of its formats', () => {
    for (const [name, format] of [
      ['openssh', []],
      ['pkcs8', ['-m', 'PKCS8']],
    ] as const) {
      const path = join(folder, name);
      run('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', 'a comment', ...format, '-f', path]);
      const key = parsePrivateKey(readFileSync(path), path);
      expect(readFileSync(`${path}.pub`, 'latin1')).toBe(`${publicKeyLine(key)} a comment\n`);
    }
  });

  test('by dropbearkey', () => {
    const path = join(folder, 'made');
    const shown = run('dropbearkey', ['-t', 'ed25519', '-f', path]);
    expect(shown).toContain(publicKeyLine(parsePrivateKey(readFileSync(path), path)));
  });

  test.each([
    ['another type', ['-t', 'ecdsa', '-N', ''], /a key of the type ecdsa-sha2-nistp256/],
    ['another type in PEM', ['-t', 'rsa', '-b', '2048', '-m', 'PKCS8', '-N', ''], /a key of the type rsa/],
    ['a passphrase', ['-t', 'ed25519', '-N', 'secret'], /it has a passphrase/],
  ])('but not with %s', (name, args, message) => {
    const path = join(folder, name.replaceAll(' ', '-'));
    run('ssh-keygen', ['-q', ...args, '-f', path]);
    expect(() => parsePrivateKey(readFileSync(path), path)).toThrow(message);
  });

  test('nor cut off or changed, at whatever place', () => {
    const path = join(folder, 'whole');
    if (!existsSync(path)) run('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', path]);
    const [first = '', ...lines] = readFileSync(path, 'latin1').trim().split('\n');
    const last = lines.pop() ?? '';
    const body = Buffer.from(lines.join(''), 'base64');
    const key = parsePrivateKey(readFileSync(path), path);
    for (let at = 0; at < body.length; at++) {
      const changed = Buffer.from(body);
      changed.writeUInt8(changed.readUInt8(at) ^ 0x41, at);
      for (const bytes of [changed, body.subarray(0, at)]) {
        const text = `${first}\n${bytes.toString('base64')}\n${last}\n`;
        try {
          expect(parsePrivateKey(Buffer.from(text), path)).toEqual(key);
        } catch (error) {
          expect((error as Error).name).toBe('DiagnosticError');
        }
      }
    }
  });
});

test('the nodes know each other by name and by address', () => {
  const identity = { hostKey: deriveKey('s', 'host key'), userKey: deriveKey('s', 'user key') };
  const files = new Map(
    identityFiles(identity, ['10.0.0.1', '10.0.0.2']).map((file) => [file.path, file] as const),
  );
  const host = publicKeyLine(identity.hostKey);
  expect(files.get('/root/.ssh/known_hosts')?.content.toString()).toBe(
    ['node1', '10.0.0.1', 'node2', '10.0.0.2'].map((name) => `${name} ${host}\n`).join(''),
  );
  expect(files.get('/root/.ssh/authorized_keys')?.content.toString()).toContain(
    publicKeyLine(identity.userKey),
  );
  for (const path of ['/etc/dropbear/dropbear_ed25519_host_key', '/root/.ssh/id_dropbear'])
    expect(files.get(path)?.mode).toBe(0o600);
});
