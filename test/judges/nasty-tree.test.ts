import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { FileSource } from '../../images/bytes/byte-source.js';
import { Pace } from '../../images/bytes/pace.js';
import { SparseFile } from '../../images/bytes/sparse-file.js';
import { MKFS_DEFAULTS, makeFilesystem } from '../../images/gfs/mkfs.js';
import { OpenGfsFilesystem } from '../../images/gfs/reader.js';
import { populate } from '../../images/gfs/writer.js';
import { diffTrees } from '../../images/tree/diff.js';
import { treeOfFilesystem } from '../../images/tree/from-filesystem.js';
import { nastyTar, nastyTree } from '../fixtures/nasty-tree.js';
import { expectAccepted, JUDGE_TOOLS } from '../support/judge-opengfs.js';
import { ssiImageOutput } from '../support/ssi-image.js';
import { temporaryFolder } from '../support/temporary.js';
import { describeWith } from '../support/tools.js';

const folder = temporaryFolder();

/** User-Mode Linux reads some 250 MB a second: of larger files it reads the beginning, the middle and the end. */
const WHOLE_FILES_UP_TO = 64 * 1024 ** 2;

describeWith(JUDGE_TOOLS, 'a tree of everything that goes wrong', () => {
  test.each([512, 1024, 4096])('in blocks of %i bytes', async (blockSize) => {
    const image = join(folder, `nasty.${blockSize}`);
    const tree = nastyTree(blockSize);
    const sink = SparseFile.create(image, 2 * 1024 ** 3);
    makeFilesystem(sink, {
      ...MKFS_DEFAULTS,
      blockSize,
      journals: 3,
      journalMiB: 32,
      lockProtocol: 'memexp',
      lockTable: '/dev/pool/pool0cidev',
      time: 0,
    });
    sink.flush();
    const source = new FileSource(image);
    await populate({ source, sink }, tree, { pace: new Pace() });
    sink.close();
    await expectAccepted({ image, tree, scratch: folder, wholeFilesUpTo: WHOLE_FILES_UP_TO });
    // What the kernel does not show, device numbers above all, our reader must.
    const back = await treeOfFilesystem(new OpenGfsFilesystem(source), new Pace());
    const differences = [];
    for await (const difference of diffTrees(tree, back, new Pace())) differences.push(difference);
    expect(differences.slice(0, 20)).toEqual([]);
    source.close();
    rmSync(image);
  });

  test('through a tar and the commands, with the default block size', async () => {
    const tar = join(folder, 'nasty.tar');
    const tree = nastyTar(tar);
    const image = join(folder, 'nasty.img');
    ssiImageOutput([
      'mkfs_gfs',
      '-q',
      '-p',
      'memexp',
      '-t',
      '/dev/pool/pool0cidev',
      '-j',
      '3',
      '-J',
      '32',
      '--size',
      '1GiB',
      '-d',
      tar,
      image,
    ]);
    await expectAccepted({ image, tree, scratch: folder, wholeFilesUpTo: WHOLE_FILES_UP_TO });
    rmSync(image);
  });
});
