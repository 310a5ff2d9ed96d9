import { textFromByteString } from '../../images/bytes/byte-string.js';
import type { Pace } from '../../images/bytes/pace.js';
import { imageError } from '../../images/diagnostic.js';
import { Gfs2Image } from '../../images/gfs/gfs2/image.js';
import { GfsImage } from '../../images/gfs/image.js';
import { readJournalIndex } from '../../images/gfs/indexes.js';
import { detectKind, openDevice } from '../open-image.js';

/** What nodes have to know of the image that they share. */
export interface SharedImage {
  readonly kind: 'gfs2' | 'opengfs';
  /** How many nodes may mount it at the same time. */
  readonly journals: number;
  /** Its lock protocol, such as `lock_dlm`. */
  readonly lockProtocol: string;
}

const SHARED_HINT = 'Nodes share a root with GFS2 or OpenGFS: build one with ssi-image build.';

/** Looks into a root image. Throws a DiagnosticError when nodes can't share it. */
export async function readSharedImage(path: string, pace: Pace): Promise<SharedImage> {
  const device = await openDevice(path, { pace });
  try {
    const kind = detectKind(device.source);
    if (kind === 'opengfs') {
      const image = new GfsImage(device.source);
      const journals = readJournalIndex(image).length;
      return { kind, journals, lockProtocol: textFromByteString(image.superblock.lockProtocol) };
    }
    if (kind !== 'gfs2') throw imageError({ file: path }, 'no filesystem that nodes can share', SHARED_HINT);
    const image = new Gfs2Image(device.source);
    const lockProtocol = textFromByteString(image.superblock.lockProtocol);
    if (lockProtocol !== 'lock_dlm')
      throw imageError(
        { file: path },
        `its lock protocol is ${lockProtocol}: two nodes would destroy it`,
        'Make it with lock_dlm.',
      );
    return { kind, journals: image.systemFiles.journals.length, lockProtocol };
  } finally {
    device.close();
  }
}
