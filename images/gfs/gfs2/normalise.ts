import type { Pace } from '../../bytes/pace.js';
import type { Timestamp } from '../../tree/node.js';
import { commit, type Device } from '../commit.js';
import { RESOURCE_INDEX_RECORD_BYTES } from '../constants.js';
import { readDirectory } from '../directory-reader.js';
import { readIndexBytes } from '../indexes.js';
import { decodeResourceIndexRecord, encodeResourceIndexRecord } from '../resource-group.js';
import { setDinodeTimes } from './dinode.js';
import { Gfs2Image } from './image.js';
import { faultOfLogHeader, journalPieces, setLogSequence } from './journal.js';

/**
 * Makes what mkfs.gfs2 just made depend on its options alone (docs/gfs2-format.md §9): all times become `time`, every
 * journal's sequence numbers start from 0, and the resource index loses what its maker's memory happened to hold.
 * Throws a DiagnosticError when the device holds anything but a new GFS2 filesystem.
 */
export async function normaliseGfs2(device: Device, time: Timestamp, pace: Pace): Promise<void> {
  const image = new Gfs2Image(device.source);
  for (const [number, journal] of image.systemFiles.journals.entries())
    await normaliseJournal(image, device, number, journal, pace);
  normaliseResourceIndex(image, device);
  setTimes(image, device, time);
}

/** Each block of a new journal has a log header; they count up from somewhere in it. */
async function normaliseJournal(
  image: Gfs2Image,
  { sink }: Device,
  number: number,
  journal: number,
  pace: Pace,
): Promise<void> {
  const { blockSize } = image.geometry;
  for (const { index, address, bytes } of journalPieces(image, journal)) {
    for (let offset = 0; offset < bytes.length; offset += blockSize) {
      const header = bytes.subarray(offset, offset + blockSize);
      const fault = faultOfLogHeader(header, index + offset / blockSize);
      if (fault !== undefined) {
        throw image.error(
          address + offset / blockSize,
          `journal ${number} is not that of a new filesystem: ${fault}`,
        );
      }
      setLogSequence(header, index + offset / blockSize);
    }
    sink.write(bytes, address * blockSize);
    if (pace.due()) await pace.breathe();
  }
  sink.flush();
}

/** Writes the records anew: mkfs.gfs2 3.5 leaves uninitialised memory in their reserved bytes. */
function normaliseResourceIndex(image: Gfs2Image, device: Device): void {
  const address = image.resourceIndexAddress;
  const bytes = readIndexBytes(image, address, 'a resource index', RESOURCE_INDEX_RECORD_BYTES);
  for (let offset = 0; offset < bytes.length; offset += RESOURCE_INDEX_RECORD_BYTES)
    encodeResourceIndexRecord(decodeResourceIndexRecord(bytes, offset)).copy(bytes, offset);
  for (const { offset, position, length } of image.extents(image.readDinode(address, 'the master directory')))
    device.sink.write(bytes.subarray(offset, offset + length), position);
  device.sink.flush();
}

function setTimes(image: Gfs2Image, device: Device, time: Timestamp): void {
  const { blockSize } = image.geometry;
  const { master, journalIndex, perNode } = image.systemFiles;
  const addresses = new Set([image.rootAddress, master]);
  for (const directory of [master, journalIndex, perNode]) {
    const names = readDirectory(image, image.readDinode(directory, 'the master directory'));
    for (const { inode } of names) addresses.add(inode.address);
  }
  const blocks = [...addresses].map((address) => {
    // Not from memory: the resource index has just been written.
    const bytes = Buffer.alloc(blockSize);
    device.source.readInto(bytes, address * blockSize);
    setDinodeTimes(bytes, time);
    return { address, bytes };
  });
  commit(device, blockSize, blocks, 'Make the filesystem anew with mkfs.gfs2.');
}
