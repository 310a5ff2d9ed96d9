import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { BuildReport } from '../../scripts/progress/build-report.js';
import { temporaryFolder } from '../support/temporary.js';

function failedBuild(): BuildReport {
  const report = new BuildReport();
  const stages = ['base', 'tree', 'image', 'check'].map((name) => ({ name, title: name }));
  report.listen({ type: 'build-start', recipe: 'a|b', stages });
  report.listen({ type: 'stage-hit', stage: 'base', key: 'k', bytes: 2048, from: 'remote' });
  report.listen({ type: 'stage-done', stage: 'tree', key: 'k', milliseconds: 1500, bytes: 10 });
  report.listen({
    type: 'stage-failed',
    stage: 'image',
    diagnostics: [{ kind: 'host', message: 'no <space> left & "gone" \u0001' }],
  });
  return report;
}

test('JUnit: a case for each stage, with what failed and what was not reached', () => {
  const path = join(temporaryFolder(), 'junit.xml');
  failedBuild().writeJunit(path);
  const text = readFileSync(path, 'utf8');
  expect(text).toContain('<testsuite name="a|b" tests="4" failures="1" skipped="1"');
  expect(text).toContain('name="tree" time="1.500"/>');
  expect(text).toContain('no &lt;space&gt; left &amp; &quot;gone&quot;');
  expect(text).toContain('name="check" time="0.000"><skipped/>');
  // biome-ignore lint/suspicious/noControlCharactersInRegex: just these can't stand in XML
  expect(text).not.toMatch(/[\u0000-\u0008]/);
});

test('Markdown: appended, and nothing in it is taken for markup', () => {
  const path = join(temporaryFolder(), 'summary.md');
  failedBuild().appendSummary(path);
  failedBuild().appendSummary(path);
  const text = readFileSync(path, 'utf8');
  expect(text.split('### a\\|b: failed')).toHaveLength(3);
  expect(text).toContain('| base | cached remotely |  | 2.0 KiB |');
  expect(text).toContain('| tree | ran | 1.50 s | 10 B |');
  expect(text).toContain('| check | not reached |');
  expect(text).toContain('1 stage ran, 0 were cached here, 1 remotely.');
});

test('a file that can not be written is a clear fault', () => {
  expect(() => failedBuild().writeJunit('/nowhere/junit.xml')).toThrow('no such file or directory');
});
