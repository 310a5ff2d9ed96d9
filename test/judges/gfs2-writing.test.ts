import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { FileSource } from '../../images/bytes/byte-source.js';
import { Pace } from '../../images/bytes/pace.js';
import { SparseFile } from '../../images/bytes/sparse-file.js';
import { Gfs2Filesystem } from '../../images/gfs/gfs2/reader.js';
import { populate } from '../../images/gfs/writer.js';
import { sha256Of } from '../../images/tree/content.js';
import { diffTrees } from '../../images/tree/diff.js';
import { treeOfFilesystem } from '../../images/tree/from-filesystem.js';
import type { Tree } from '../../images/tree/tree.js';
import { TreeBuilder } from '../../images/tree/tree-builder.js';
import { makeGfs2 } from '../../pipelines/make-gfs2.js';
import { openTree } from '../../pipelines/open-image.js';
import { addAttributes } from '../fixtures/attribute-tree.js';
import { nastyTree } from '../fixtures/nasty-tree.js';
import { DEBIAN_ROOT_TOOLS, debianRoot } from '../support/debian-root.js';
import { makeGfs2 as makeEmptyGfs2 } from '../support/gfs2-image.js';
import { expectGfs2Accepted, expectWritable, GFS2_JUDGE_TOOLS } from '../support/judge-gfs2.js';
import { temporaryFolder } from '../support/temporary.js';
import { describeWith } from '../support/tools.js';

const folder = temporaryFolder();

/** User-Mode Linux reads some 250 MB a second: of larger files it reads the beginning, the middle and the end. */
const WHOLE_FILES_UP_TO = 64 * 1024 ** 2;
const INDIRECT_HEADER_BYTES = 24;

function everything(blockSize: number): Tree {
  const builder = TreeBuilder.from(nastyTree(blockSize, INDIRECT_HEADER_BYTES));
  addAttributes(builder, blockSize);
  return builder.build();
}

describeWith(GFS2_JUDGE_TOOLS, 'a tree of everything that goes wrong, in GFS2', () => {
  test.each([1024, 4096])('in blocks of %i bytes', async (blockSize) => {
    const image = join(folder, `nasty.${blockSize}`);
    makeEmptyGfs2(image, 2 * 1024 ** 3, '-b', `${blockSize}`, '-j', '3');
    const tree = everything(blockSize);
    const sink = SparseFile.open(image);
    const source = new FileSource(image);
    const { notKept } = await populate({ source, sink }, tree, { pace: new Pace() });
    sink.close();
    expect(notKept).toEqual([]);
    const back = await treeOfFilesystem(new Gfs2Filesystem(source), new Pace());
    const differences = [];
    for await (const difference of diffTrees(tree, back, new Pace())) differences.push(difference);
    expect(differences.slice(0, 20)).toEqual([]);
    await expectGfs2Accepted({ image, tree, scratch: folder, wholeFilesUpTo: WHOLE_FILES_UP_TO });
    await expectWritable(image, folder);
    source.close();
    rmSync(image);
  });
});

describeWith([...DEBIAN_ROOT_TOOLS, ...GFS2_JUDGE_TOOLS], 'a Debian root in GFS2', () => {
  test('with 15 journals, made twice', async () => {
    const digests: string[] = [];
    for (const name of ['debian.1', 'debian.2']) {
      const image = join(folder, name);
      const options = { lockProtocol: 'lock_dlm', lockTable: 'ssi:root', journals: 15, journalMiB: 8 };
      await makeGfs2(
        image,
        { ...options, size: 2 * 1024 ** 3, blockSize: 4096, time: 0 },
        { pace: new Pace() },
      );
      const { tree, close } = await openTree(debianRoot().tar, { pace: new Pace() });
      const sink = SparseFile.open(image);
      const source = new FileSource(image);
      await populate({ source, sink }, tree, { pace: new Pace() });
      sink.close();
      const extents = () => [{ offset: 0, position: 0, length: source.size }];
      digests.push(sha256Of({ kind: 'extents', source, extents }, source.size));
      source.close();
      expect([...tree.entries()].length).toBeGreaterThan(12_000);
      if (digests.length === 1) await expectGfs2Accepted({ image, tree, scratch: folder });
      close();
      if (digests.length === 1) await expectWritable(image, folder);
      rmSync(image);
    }
    expect(digests[1]).toBe(digests[0]);
  });
});
