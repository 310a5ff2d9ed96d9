import type { Stage } from '../engine/stage.js';

/** Name of the file from which a cluster is started (HOWTO 2.4). */
export const START_FILE_NAME = 'ssiuml.conf';

/** What a cluster is started from, as file names in the output folder. */
export interface StartFiles {
  readonly kernel?: string;
  readonly root: string;
  readonly cidev?: string;
  readonly ramdisk?: string;
  readonly lockServerRamdisk?: string;
}

/** HOWTO 2.4: says where the cluster's parts lie: relative to the file, so that the folder can move. */
export function startFileStage(files: StartFiles): Stage {
  const { kernel, root, cidev, ramdisk, lockServerRamdisk } = files;
  const values = {
    KERNEL: kernel,
    ROOT: root,
    CIDEV: cidev,
    INITRD: ramdisk,
    INITRD_MEMEXP: lockServerRamdisk,
  };
  const lines = Object.entries(values).flatMap(([name, value]) =>
    value === undefined ? [] : [`${name}=${value}\n`],
  );
  return {
    name: 'start-file',
    title: `Write ${START_FILE_NAME}`,
    module: import.meta.url,
    parameters: { lines },
    inputs: {},
    tools: [],
    artifacts: [START_FILE_NAME],
    keeping: 'stored',
    run: async () => ({
      artifacts: { [START_FILE_NAME]: { kind: 'bytes', bytes: Buffer.from(lines.join('')) } },
    }),
  };
}
