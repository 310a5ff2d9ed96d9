import { hostError } from '../../images/diagnostic.js';
import { missingProgram } from '../program-folders.js';
import type { Stage } from './stage.js';
import { probeTool } from './tool-version.js';

/** Throws a DiagnosticError when a program is missing that a stage can't do without. */
export async function checkTools(stage: Stage): Promise<void> {
  for (const tool of stage.tools) {
    if (tool.optional === true) continue;
    const probe = await probeTool(tool);
    if (probe.state === 'there') continue;
    if (probe.state === 'missing') throw missingProgram(tool.program, tool.package);
    throw hostError(
      `the program ${tool.program} does not run: ${probe.reason}`,
      `Install it (Debian package ${tool.package}).`,
    );
  }
}
