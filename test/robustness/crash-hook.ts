// Loaded with `node --import` before a build: counts the calls with which it changes files, and ends it at one of them
// as SIGKILL does. So every place between two changes can be tried, however short it is.
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { isMainThread } from 'node:worker_threads';

type Call = (...parameters: unknown[]) => unknown;
const functions = fs as unknown as Record<string, Call>;

/** Calls that change what a folder holds, and those that change what a file holds. */
const NAMING = ['renameSync', 'linkSync', 'symlinkSync', 'mkdirSync', 'rmdirSync', 'unlinkSync', 'rmSync'];
const FILLING = ['openSync', 'writeFileSync', 'writeSync', 'ftruncateSync', 'utimesSync', 'chmodSync'];

/** What lies in a stage's work folder: thousands of calls that are all alike, in the staging root above all. */
const STAGING = /\.cluster-tools\.[0-9a-f]+\//;

/** `before`, `after`, or `half`: in the middle of what is written. */
const how = process.env.SSI_CRASH_HOW ?? 'before';
const at = Number(process.env.SSI_CRASH_AT ?? 0);
const isNaming = process.env.SSI_CRASH_CALLS === 'naming';
const which = isNaming ? [...NAMING, 'writeFileSync'] : [...NAMING, ...FILLING];
let calls = 0;

function crash(): never {
  process.kill(process.pid, 'SIGKILL');
  // It has no chance to come here.
  for (;;);
}

function counted(name: string, call: Call): Call {
  return (...parameters) => {
    if (!changesSomething(name, parameters)) return call(...parameters);
    calls += 1;
    if (calls !== at) return call(...parameters);
    if (how === 'half') writeHalf(name, parameters, call);
    if (how === 'after') call(...parameters);
    return crash();
  };
}

function changesSomething(name: string, [path, flags]: readonly unknown[]): boolean {
  if (isNaming && STAGING.test(String(path))) return false;
  // For reading.
  return name !== 'openSync' || !(flags === undefined || flags === 'r' || typeof flags === 'number');
}

/** Writes the first half of what is to be written, if something is. */
function writeHalf(name: string, parameters: unknown[], call: Call): void {
  const [target, data, ...rest] = parameters;
  if (name === 'writeFileSync' && (typeof data === 'string' || data instanceof Uint8Array))
    call(target, data.slice(0, data.length / 2), ...rest);
  if (name === 'writeSync' && data instanceof Uint8Array && typeof rest[1] === 'number')
    call(target, data, rest[0], Math.floor(rest[1] / 2), rest[2]);
}

if (isMainThread) {
  for (const name of which) {
    const call = functions[name];
    if (call !== undefined) functions[name] = counted(name, call.bind(fs));
  }
  syncBuiltinESMExports();
  const report = process.env.SSI_CRASH_REPORT;
  if (report !== undefined) {
    const write = fs.writeFileSync;
    process.on('exit', () => write(report, `${calls}`));
  }
}
