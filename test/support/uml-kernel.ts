import { join } from 'node:path';
import { kernelForProcessor } from '../../pipelines/nodes/kernel-for-processor.js';
import { tool } from './tools.js';

/** Debian's User-Mode Linux kernel, or a copy of it in `folder` that runs on this processor. */
export function umlKernel(folder: string): string {
  return kernelForProcessor(tool('linux.uml'), join(folder, 'linux.uml'));
}
