import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { tool } from './tools.js';

/** Bytes of a processor's extended state up to PKRU: what the kernel of Debian 12 was built for. */
const STATE_BYTES = 2696;

/** Bytes of the state with the tile registers of AMX, in the layout that the processor fixes (Intel SDM, CPUID leaf 13). */
const STATE_BYTES_AMX = 11008;

/**
 * The User-Mode Linux kernel that runs on this processor.
 *
 * To set a guest's registers the kernel hands the host a state of a fixed length with ptrace's SETREGSET, and a
 * host on a processor with AMX takes the whole state only: "ptrace set fp regs failed, errno = 14", and init dies.
 * The header of the state says which parts are valid, and the tiles never are in a guest, so it is enough that the
 * length is right: on such a processor this makes a copy in `folder` in which it is.
 */
export function umlKernel(folder: string): string {
  const kernel = tool('linux.uml');
  if (!/^flags\s*:.*\bamx_tile\b/m.test(readFileSync('/proc/cpuinfo', 'utf8'))) return kernel;
  const program = readFileSync(kernel);
  // movq $length,-8(%rbp) and, right behind it, mov $PTRACE_SETREGSET,%edi
  const pattern = Buffer.from('48c745f800000000bf05420000', 'hex');
  pattern.writeUInt32LE(STATE_BYTES, 4);
  const place = program.indexOf(pattern);
  // A kernel that asks the processor for the length needs no help.
  if (place < 0 || program.indexOf(pattern, place + 1) >= 0) return kernel;
  program.writeUInt32LE(STATE_BYTES_AMX, place + 4);
  const copy = join(folder, 'linux.uml');
  writeFileSync(copy, program, { mode: 0o755 });
  return copy;
}
