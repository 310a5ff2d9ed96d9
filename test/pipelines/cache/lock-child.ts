import { appendFileSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { acquireLock } from '../../../pipelines/cache/lock.js';

/*
 * Takes a lock many times, and each time does what two must not do at once. Told to, it dies now and then while it has
 * the lock. Arguments: path of the lock, folder for the work, number of turns, how many of 100 turns end with death.
 */
const [path = '', folder = '', turns = '', deaths = ''] = process.argv.slice(2);
const counter = `${folder}/counter`;
for (let turn = 0; turn < Number(turns); turn++) {
  const lock = await acquireLock(path);
  try {
    mkdirSync(`${folder}/inside`);
  } catch {
    appendFileSync(`${folder}/violations`, `${process.pid}\n`);
  }
  const count = Number(readFileSync(counter, 'utf8'));
  if (turn % 3 === 0) await sleep(1);
  writeFileSync(counter, `${count + 1}`);
  appendFileSync(`${folder}/done`, '.');
  rmdirSync(`${folder}/inside`);
  if (Math.random() * 100 < Number(deaths)) process.kill(process.pid, 'SIGKILL');
  lock.release();
}
