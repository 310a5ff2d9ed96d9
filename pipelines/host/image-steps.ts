import type { Ext2Recipe } from '../recipe/recipe.js';
import {
  type Gfs2Recipe,
  isGfs2Recipe,
  isOpenGfsRecipe,
  type OpenGfsRecipe,
  type PoolSettings,
  type Recipe,
} from '../recipe/recipe.js';
import { LOCK_TABLE_NAME, lockTablePool, poolFileName, rootPool } from '../stages/pools.js';
import { type Step, word } from './step.js';
import { POOL_FOLDER } from './undo.js';

const KIB = 1024;
const MIB = 1024 * KIB;

/** How the images are made, mounted and let go of. */
export interface ImageSteps {
  /** Names of the images; the root's is the first. */
  readonly images: readonly string[];
  readonly make: readonly Step[];
  readonly release: readonly Step[];
}

/** HOWTO 5.2 and 5.7 for the filesystem of a recipe; its root gets mounted at `root`. */
export function imageSteps(recipe: Recipe, root: string): ImageSteps {
  if (isOpenGfsRecipe(recipe)) return openGfsSteps(recipe, root);
  return isGfs2Recipe(recipe) ? gfs2Steps(recipe, root) : ext2Steps(recipe as Ext2Recipe, root);
}

const common = { section: '5.2', stage: 'root-image' } as const;

/** A file of one hole. */
function blank(image: string, size: number): string {
  const [unit, count] = size % KIB === 0 ? [KIB, size / KIB] : [1, size];
  return `dd of=${word(image)} bs=${unit} seek=${count} count=0`;
}

function openGfsSteps(recipe: OpenGfsRecipe, root: string): ImageSteps {
  const [pool, table] = [rootPool(recipe), lockTablePool(recipe)];
  // As the HOWTO has them: the lock table's first.
  const pools = [table, pool, ...recipe.pools.filter((each) => each !== pool && each !== table)];
  const { filesystem, cluster } = recipe;
  const { lockProtocol, lockTable, journals, journalSize, blockSize } = filesystem;
  const device = `${POOL_FOLDER}/${pool.name}`;
  const [address = ''] = cluster.addresses;
  const block = blockSize === 4096 ? '' : ` -b ${blockSize}`;
  return {
    images: [pool.image, ...pools.filter((each) => each !== pool).map(({ image }) => image)],
    make: [
      { ...common, title: 'Make blank images', text: blanks(pools) },
      ...pools.map(attach),
      {
        ...common,
        title: 'Write the pool information',
        text: lines(pools.map((each) => `ptool ${poolFileName(each)}`)),
      },
      {
        ...common,
        title: 'Create the pool devices',
        text: 'passemble',
        makes: {
          id: 'pools',
          kind: 'pools',
          names: pools.map(({ name }) => name),
          files: pools.map(({ image }) => image),
        },
      },
      {
        ...common,
        stage: 'lock-table',
        title: 'Write the lock table',
        text: `gfsconf -c ${LOCK_TABLE_NAME}`,
      },
      {
        ...common,
        title: 'Format the root',
        text: `mkfs_gfs -p ${lockProtocol} -t ${lockTable} -j ${journals} -J ${journalSize / MIB}${block} -i ${device}`,
      },
      {
        ...common,
        title: 'Mount the root',
        text: `mount -t gfs -o hostdata=${address} ${device} ${word(root)}`,
        makes: { id: 'root', kind: 'mount', target: root, device },
      },
    ],
    release: [
      unmountRoot(root),
      {
        ...common,
        section: '5.7',
        title: 'Remove the pool devices',
        text: 'passemble -r all',
        unmakes: ['pools'],
      },
      ...pools.map((each) => detach(`losetup -d ${each.device}`, each.image)),
    ],
  };
}

function blanks(pools: readonly PoolSettings[]): string {
  return lines([
    ...pools.map(({ image, size }) => blank(image, size)),
    `chmod a+w ${pools.map(({ image }) => word(image)).join(' ')}`,
  ]);
}

function attach({ device, image }: PoolSettings): Step {
  return {
    ...common,
    title: `${device} shows ${image}`,
    text: `losetup ${device} ${word(image)}`,
    makes: { id: `loop ${image}`, kind: 'loop', file: image, device },
  };
}

function ext2Steps({ filesystem, epoch }: Ext2Recipe, root: string): ImageSteps {
  const { image, size, blockSize } = filesystem;
  // What Linux 2.4 reads too, as the native build makes it.
  const features = 'none,ext_attr,filetype,sparse_super,large_file';
  const mke2fs = `mke2fs -q -F -t ext2 -b ${blockSize} -I 128 -m 0 -O ${features} "$loop"`;
  return {
    images: [image],
    make: [
      ...blankLoop(image, size),
      {
        ...common,
        title: 'Format the root',
        // Its own clock: what it makes is of the recipe's time.
        text: `E2FSPROGS_FAKE_TIME=${Math.max(1, epoch)} ${mke2fs}`,
      },
      mountLoop(image, root, 'ext2'),
    ],
    release: [
      unmountRoot(root),
      detach('losetup -d "$loop"', image),
      { ...common, stage: 'check', section: '5.7', title: 'Check it', text: `e2fsck -fn ${word(image)}` },
    ],
  };
}

function gfs2Steps({ filesystem }: Gfs2Recipe, root: string): ImageSteps {
  const { image, size, lockProtocol, lockTable, journals, journalSize, blockSize } = filesystem;
  const options = `-p ${lockProtocol} -t ${lockTable} -j ${journals} -J ${journalSize / MIB} -b ${blockSize}`;
  return {
    images: [image],
    make: [
      ...blankLoop(image, size),
      { ...common, title: 'Format the root', text: `mkfs.gfs2 -q -O ${options} "$loop"` },
      mountLoop(image, root, 'gfs2', ' -o lockproto=lock_nolock'),
    ],
    release: [
      unmountRoot(root),
      detach('losetup -d "$loop"', image),
      { ...common, stage: 'check', section: '5.7', title: 'Check it', text: `fsck.gfs2 -n ${word(image)}` },
    ],
  };
}

/** A blank image on whatever loop device is free. */
function blankLoop(image: string, size: number): Step[] {
  return [
    {
      ...common,
      title: 'Make a blank image',
      text: lines([blank(image, size), `chmod a+w ${word(image)}`]),
    },
    {
      ...common,
      title: 'A loop device shows it',
      text: `loop=$(losetup --find --show ${word(image)})`,
      makes: { id: `loop ${image}`, kind: 'loop', file: image },
      sets: 'loop',
    },
  ];
}

function mountLoop(image: string, root: string, type: string, options = ''): Step {
  return {
    ...common,
    title: 'Mount the root',
    text: `mount -t ${type}${options} "$loop" ${word(root)}`,
    makes: { id: 'root', kind: 'mount', target: root, file: image },
  };
}

function unmountRoot(root: string): Step {
  return {
    ...common,
    section: '5.7',
    title: 'Unmount the root',
    text: `umount ${word(root)}`,
    unmakes: ['root'],
  };
}

function detach(text: string, image: string): Step {
  return { ...common, section: '5.7', title: `Release ${image}`, text, unmakes: [`loop ${image}`] };
}

function lines(texts: readonly string[]): string {
  return texts.join('\n');
}
