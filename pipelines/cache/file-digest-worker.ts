import { parentPort, workerData } from 'node:worker_threads';
import { Pace } from '../../images/bytes/pace.js';
import { DiagnosticError } from '../../images/diagnostic.js';
import { type DigestAnswer, type DigestTask, digestOfFile } from './file-digest.js';

async function answerOf({ path, data }: DigestTask): Promise<DigestAnswer> {
  try {
    return await digestOfFile(typeof path === 'string' ? path : Buffer.from(path), new Pace(), data);
  } catch (error) {
    if (!(error instanceof DiagnosticError)) throw error;
    return { fault: error.diagnostics };
  }
}

parentPort?.postMessage(await answerOf(workerData as DigestTask));
