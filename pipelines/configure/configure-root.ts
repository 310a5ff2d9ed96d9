import type { Tree } from '../../images/tree/tree.js';
import { gatherFaults } from '../gather-faults.js';
import type { ConfigureSettings } from '../recipe/recipe.js';
import type { ConfigureContext } from './context.js';
import { addFiles } from './files.js';
import { addHosts } from './hosts.js';
import { editInittab } from './inittab.js';
import { patchNetworkScripts } from './network-scripts.js';
import { removePaths, removeServices } from './removal.js';
import type { ReportLine } from './report.js';
import { RootEditor } from './root-editor.js';
import { remakeUbdDevices } from './ubd-devices.js';

/**
 * HOWTO 5.6 and 5.8: everything that a recipe's `configure` says, as one edit of a root. The given Tree stays as it is.
 *
 * What is removed goes before what is added comes, and both before the files that are patched: a recipe may bring its
 * own `inittab.ssi` or network scripts. Throws a DiagnosticError with the faults of all steps at once.
 */
export function configureRoot(
  tree: Tree,
  settings: ConfigureSettings,
  context: ConfigureContext,
): { tree: Tree; report: readonly ReportLine[] } {
  const root = new RootEditor(tree, context.epoch);
  const { ubd, inittab } = settings;
  gatherFaults([
    () => removeServices(root, settings, context),
    () => removePaths(root, settings, context),
    () => ubd && remakeUbdDevices(root, ubd, context),
    () => addFiles(root, settings.files, context),
    () => inittab && editInittab(root, inittab, context),
    () => patchNetworkScripts(root, settings.network, context),
    () => addHosts(root, settings.network, context),
  ]);
  return { tree: root.build(), report: root.report };
}
