import { escapedName } from '../../images/tree/listing.js';
import type { NotKept } from '../../images/tree/not-kept.js';
import type { StageContext } from '../engine/stage.js';

/** Warns of extended attributes that an image has not; `why` ends the sentence. */
export function warnOfLosses(
  notKept: readonly { readonly path: string; readonly what: string }[],
  why: string,
  context: StageContext,
): void {
  const [first] = notKept;
  if (first === undefined) return;
  context.warning(
    `${notKept.length} extended attributes are left out, ${why}`,
    `The first: ${escapedName(first.path)}: ${first.what}`,
  );
}

/** Warns of what of its tree a ramdisk can't hold. */
export function warnOfNotKept(notKept: readonly NotKept[], context: StageContext): void {
  for (const { path, what, why } of notKept)
    context.warning(`${escapedName(path)}: ${what} is not kept: ${why}`);
}
