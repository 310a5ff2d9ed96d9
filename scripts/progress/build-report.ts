import { appendFileSync, writeFileSync } from 'node:fs';
import { readableHostError } from '../../images/bytes/host-error.js';
import { formatDiagnostic, printable } from '../../images/diagnostic.js';
import type { BuildEvent } from '../../pipelines/engine/events.js';
import { formatBytes } from '../command-line/output.js';
import { formatDuration } from './amounts.js';
import { junitSeconds as seconds, xmlText as xml } from './junit-text.js';
import { remoteText } from './remote-text.js';

interface Row {
  readonly stage: string;
  /** What became of it: empty when its turn never came. */
  outcome: '' | 'cached' | 'cached remotely' | 'ran' | 'failed';
  milliseconds: number;
  bytes: number;
  fault: string;
}

/** What a build did, stage by stage, for the pages of a CI system. */
export class BuildReport {
  private recipe = '';
  private readonly rows = new Map<string, Row>();
  private readonly notes: string[] = [];
  private readonly outputs: string[] = [];
  private milliseconds = 0;

  listen(event: BuildEvent): void {
    switch (event.type) {
      case 'build-start':
        this.recipe = event.recipe;
        for (const { name } of event.stages) this.row(name);
        return;
      case 'stage-hit': {
        const outcome = event.from === 'remote' ? 'cached remotely' : 'cached';
        Object.assign(this.row(event.stage), { outcome, bytes: event.bytes });
        return;
      }
      case 'stage-done': {
        const { milliseconds, bytes } = event;
        Object.assign(this.row(event.stage), { outcome: 'ran', milliseconds, bytes });
        return;
      }
      case 'stage-failed': {
        const fault = event.diagnostics.map(formatDiagnostic).join('\n');
        Object.assign(this.row(event.stage), { outcome: 'failed', fault });
        return;
      }
      case 'output':
        this.outputs.push(`| \`${event.name}\` | ${formatBytes(event.size)} | \`${event.sha256}\` |`);
        return;
      case 'remote-done':
        this.notes.push(remoteText(event));
        return;
      case 'warning':
        this.notes.push(`warning: ${event.stage === undefined ? '' : `${event.stage}: `}${event.message}`);
        return;
      case 'build-done':
        this.milliseconds = event.milliseconds;
    }
  }

  /** Appends a table in Markdown to a file, as the job summaries of GitHub are made. Throws a DiagnosticError. */
  appendSummary(path: string): void {
    attempt(path, () => appendFileSync(path, this.markdown()));
  }

  /** Writes the stages as test cases. Throws a DiagnosticError. */
  writeJunit(path: string): void {
    attempt(path, () => writeFileSync(path, this.junit()));
  }

  markdown(): string {
    const rows = [...this.rows.values()];
    const of = (...outcomes: readonly Row['outcome'][]): number =>
      rows.filter(({ outcome }) => outcomes.includes(outcome)).length;
    const failed = of('failed') > 0;
    const lines = [
      `### ${cell(this.recipe)}: ${failed ? 'failed' : `built in ${formatDuration(this.milliseconds)}`}`,
      '',
      `${of('ran')} ${of('ran') === 1 ? 'stage' : 'stages'} ran, ${of('cached')} were cached here, ${of('cached remotely')} remotely.`,
      '',
      '| stage | | time | made |',
      '|---|---|--:|--:|',
      ...rows.map(({ stage, outcome, milliseconds, bytes }) => {
        const time = outcome === 'ran' ? formatDuration(milliseconds) : '';
        return `| ${cell(stage)} | ${outcome === '' ? 'not reached' : outcome} | ${time} | ${bytes === 0 ? '' : formatBytes(bytes)} |`;
      }),
    ];
    if (this.outputs.length > 0)
      lines.push('', '| output | size | SHA-256 |', '|---|--:|---|', ...this.outputs);
    for (const { stage, fault } of rows)
      if (fault !== '') lines.push('', `**${cell(stage)}**`, '', ...quoted(fault));
    if (this.notes.length > 0) lines.push('', ...this.notes.map((note) => `- ${cell(note)}`));
    return `${lines.join('\n')}\n\n`;
  }

  junit(): string {
    const rows = [...this.rows.values()];
    const failures = rows.filter(({ outcome }) => outcome === 'failed').length;
    const skipped = rows.filter(({ outcome }) => outcome === '').length;
    const name = xml(this.recipe);
    const lines = [
      '<?xml version="1.0" encoding="UTF-8"?>',
      `<testsuite name="${name}" tests="${rows.length}" failures="${failures}" skipped="${skipped}" time="${seconds(this.milliseconds)}">`,
      ...rows.map(({ stage, outcome, milliseconds, fault }) => {
        const open = `  <testcase classname="${name}" name="${xml(stage)}" time="${seconds(milliseconds)}"`;
        if (outcome === 'failed')
          return `${open}><failure message="${xml(fault.split('\n')[0] ?? '')}">${xml(fault)}</failure></testcase>`;
        if (outcome === '') return `${open}><skipped/></testcase>`;
        return outcome === 'ran' ? `${open}/>` : `${open}><system-out>${outcome}</system-out></testcase>`;
      }),
      '</testsuite>',
    ];
    return `${lines.join('\n')}\n`;
  }

  private row(stage: string): Row {
    let row = this.rows.get(stage);
    if (row === undefined) {
      row = { stage, outcome: '', milliseconds: 0, bytes: 0, fault: '' };
      this.rows.set(stage, row);
    }
    return row;
  }
}

function attempt(path: string, write: () => void): void {
  try {
    write();
  } catch (cause) {
    throw readableHostError(cause, path);
  }
}

/** Text in a line or a cell of Markdown, without anything that it could mean there. */
function cell(text: string): string {
  return printable(text)
    .replaceAll(/[\\|<>`*_[\]#]/g, '\\$&')
    .replaceAll('\n', ' ');
}

function quoted(text: string): string[] {
  return text.split('\n').map((line) => `    ${printable(line)}`);
}
