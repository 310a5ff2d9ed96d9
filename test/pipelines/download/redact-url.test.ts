import { expect, test } from 'vitest';
import { redactUrl, requestTarget } from '../../../pipelines/download/redact-url.js';

test.each([
  ['http://example.org/a.bz2', 'http://example.org/a.bz2'],
  ['http://user:hidden@example.org/a?x=1#part', 'http://***@example.org/a?x=1'],
  ['http://hidden@example.org/a', 'http://***@example.org/a'],
  [
    'https://s3.example/a?X-Amz-Signature=hidden&X-Amz-Date=1',
    'https://s3.example/a?X-Amz-Signature=***&X-Amz-Date=1',
  ],
  ['https://a.example/f?a=1&access_token=hidden', 'https://a.example/f?a=1&access_token=***'],
  ['https://a.example/f?sig=hidden&monkey=banana', 'https://a.example/f?sig=***&monkey=banana'],
  ['user:hidden@not a url', '***@not a url'],
  ['http://user:hid@den@exa mple/', 'http://***@exa mple/'],
  ['file:///home/me/a.bz2', 'file:///home/me/a.bz2'],
])('%s is shown as %s', (url, shown) => {
  expect(redactUrl(url)).toBe(shown);
  expect(redactUrl(shown)).toBe(shown);
});

test('user and password become basic authentication', () => {
  const { url, authorization } = requestTarget(new URL('http://m%C3%BCller:a%3Ab%ZZ@example.org/a#b'));
  expect(url.href).toBe('http://example.org/a');
  expect(authorization).toBe(`Basic ${Buffer.from('müller:a%3Ab%ZZ').toString('base64')}`);
  expect(requestTarget(new URL('http://example.org/')).authorization).toBeUndefined();
});
