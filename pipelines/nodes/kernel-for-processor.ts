import { accessSync, constants, readFileSync, writeFileSync } from 'node:fs';
import { readableHostError } from '../../images/bytes/host-error.js';
import { hostError } from '../../images/diagnostic.js';

/** Bytes of a processor's extended state up to PKRU: what the kernel of Debian 12 was built for. */
const STATE_BYTES = 2696;
/** Bytes of the state with the tile registers of AMX, in the layout that the processor fixes (Intel SDM, CPUID leaf 13). */
const STATE_BYTES_AMX = 11_008;

/**
 * `movq $LENGTH,-8(%rbp)` (the length of the iovec) and, right behind it, `mov $PTRACE_SETREGSET,%edi`: how the kernel
 * of Debian hands over a guest's registers.
 */
const SET_REGISTERS = Buffer.from('48c745f800000000bf05420000', 'hex');
const LENGTH_AT = 4;

/** What is looked at to find the processor out; tests have their own. */
export interface Processor {
  /** The text of /proc/cpuinfo. */
  readonly cpuinfo: string;
}

/**
 * The User-Mode Linux kernel as this processor can run it: `path` itself, or a changed copy at `copy`.
 *
 * To set a guest's registers the kernel hands the host a state of a fixed length with ptrace's SETREGSET. On a
 * processor with AMX a host takes the whole state only, which is longer: "ptrace set fp regs failed, errno = 14", and
 * init dies. The header of the state says which of its parts are valid, and the tiles never are in a guest, so it is
 * enough that the length is right. Only this one number is changed, in a copy, and only where the whole instruction and
 * the one behind it are what they are in Debian's kernel, once; and what is read past the short state's end is memory
 * of the same process. A kernel that asks the processor for the length (Linux 6.13 and later) has no such instruction,
 * and needs no help.
 *
 * Throws a DiagnosticError when the kernel can't be read or run.
 */
export function kernelForProcessor(path: string, copy: string, processor?: Processor): string {
  let program: Buffer;
  try {
    accessSync(path, constants.X_OK);
    if (!hasTiles((processor ?? thisProcessor()).cpuinfo)) return path;
    program = readFileSync(path);
  } catch (cause) {
    throw readableHostError(cause, path);
  }
  const places = placesToChange(program);
  const [place] = places;
  if (place === undefined) return path;
  if (places.length > 1) {
    throw hostError(
      `this processor has AMX, with which this kernel can't set a guest's registers, and the place to change is there ${places.length} times`,
      'Use the kernel of Debian 12 (package user-mode-linux), one of Linux 6.13 or later, or a host without AMX.',
      { file: path },
    );
  }
  program.writeUInt32LE(STATE_BYTES_AMX, place);
  try {
    writeFileSync(copy, program, { mode: 0o700 });
  } catch (cause) {
    throw readableHostError(cause, copy);
  }
  return copy;
}

/** Offsets of the length in each instruction that hands over a state of the short length. */
function placesToChange(program: Buffer): number[] {
  const pattern = Buffer.from(SET_REGISTERS);
  pattern.writeUInt32LE(STATE_BYTES, LENGTH_AT);
  const places: number[] = [];
  for (let at = program.indexOf(pattern); at >= 0; at = program.indexOf(pattern, at + 1))
    places.push(at + LENGTH_AT);
  return places;
}

function hasTiles(cpuinfo: string): boolean {
  return /^flags\s*:.*\bamx_tile\b/m.test(cpuinfo);
}

function thisProcessor(): Processor {
  try {
    return { cpuinfo: readFileSync('/proc/cpuinfo', 'utf8') };
  } catch {
    return { cpuinfo: '' };
  }
}
