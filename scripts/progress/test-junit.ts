import { writeFileSync } from 'node:fs';
import { readableHostError } from '../../images/bytes/host-error.js';
import type { CheckResult } from '../../pipelines/test-run/check.js';
import type { TestReport } from '../../pipelines/test-run/test-run.js';
import { junitSeconds, xmlText } from './junit-text.js';

/** What a report is made of; a build that failed has no more than its fault. */
export type JunitReport = Pick<TestReport, 'recipe' | 'results' | 'consoles' | 'milliseconds'>;

/** Writes a test suite: a case for each check and node. Throws a DiagnosticError. */
export function writeTestJunit(path: string, report: JunitReport): void {
  try {
    writeFileSync(path, testJunit(report));
  } catch (cause) {
    throw readableHostError(cause, path);
  }
}

/** The XML that CI systems take for the results of tests. */
export function testJunit({ recipe, results, consoles, milliseconds }: JunitReport): string {
  const of = (outcome: CheckResult['outcome']): number =>
    results.filter((result) => result.outcome === outcome).length;
  const counts = `tests="${results.length}" failures="${of('failed')}" errors="0" skipped="${of('skipped')}"`;
  const lines = [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuite name="${xmlText(recipe)}" ${counts} time="${junitSeconds(milliseconds)}">`,
    ...results.map((result) => caseOf(recipe, result, consoles)),
    '</testsuite>',
  ];
  return `${lines.join('\n')}\n`;
}

function caseOf(
  recipe: string,
  { name, node, outcome, milliseconds, reason = '', details }: CheckResult,
  consoles: JunitReport['consoles'],
): string {
  const place = node === undefined ? '' : ` (node${node})`;
  const open = `  <testcase classname="${xmlText(recipe)}" name="${xmlText(name + place)}" time="${junitSeconds(milliseconds)}"`;
  if (outcome === 'ok') return `${open}/>`;
  if (outcome === 'skipped') return `${open}><skipped message="${xmlText(reason)}"/></testcase>`;
  const text = [reason, ...details].join('\n');
  const console = node === undefined ? [] : (consoles.get(node) ?? []);
  const shown = console.length === 0 ? '' : `<system-out>${xmlText(console.join('\n'))}</system-out>`;
  return `${open}><failure message="${xmlText(reason)}">${xmlText(text)}</failure>${shown}</testcase>`;
}
