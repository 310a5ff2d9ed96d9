import { recipeJsonSchema } from '../../pipelines/recipe/json-schema.js';
import { writeOut } from '../command-line/output.js';
import { ExitCode } from '../command-line/run.js';

/** `ssi-image schema`: the JSON Schema of a recipe file, for editors. */
export async function schema(): Promise<number> {
  await writeOut(`${JSON.stringify(recipeJsonSchema(), null, 2)}\n`);
  return ExitCode.done;
}
