import { runUml, UML_TOOLS } from './uml.js';

/** What `fillThroughKernel` needs on the host, for `testWith`. */
export const UML_FILL_TOOLS: readonly string[] = [...UML_TOOLS, 'tar'];

/**
 * Unpacks a tar into an empty GFS2 image with the kernel's own driver in User-Mode Linux: a populated image that
 * nothing of this project has touched. Throws, with the console, when tar or the kernel fails.
 */
export async function fillThroughKernel(
  image: string,
  archive: string,
  options: { readonly scratch: string; readonly timeout: number },
): Promise<void> {
  await runUml({
    ...options,
    disks: [
      { path: image, readOnly: false },
      { path: archive, readOnly: true },
    ],
    programs: ['tar'],
    modules: ['gfs2'],
    script: `set -e
mount -t gfs2 -o lockproto=lock_nolock,noatime /dev/ubda /mnt
/bin/tar --extract --file=/dev/ubdb --directory=/mnt --numeric-owner --same-owner --preserve-permissions
umount /mnt
`,
  });
}
