import { checkAlternatives } from './alternatives.js';
import type { CheckedRecipe } from './checked-recipe.js';
import { DEFAULTS } from './defaults.js';
import { checkFilesystemKeys } from './filesystem-keys.js';
import { addressOf, parseAddress, parseNetwork } from './network.js';
import { checkNodeKeys } from './node-keys.js';
import type { RecipePath } from './recipe.js';
import { keyAt, nodeAt, quoted } from './recipe-node.js';
import { formatSize } from './scalars.js';
import { RECIPE_KEYS } from './schema.js';
import { checkTestKeys } from './test-keys.js';

/** Bytes of a pool label, before the data of the pool. */
const POOL_LABEL_BYTES = 8192;
/** What a filesystem needs besides its journals, in blocks: two sections of the layout (images/gfs/layout.ts). */
const LEAST_BLOCKS = 200;
/** Minor numbers of a device of the time. */
const MINORS = 256;

/** Names in the output folder that are taken. */
const outputNames = [
  'initrd.img',
  'initrd-memexp.img',
  'linux',
  'gfscf.cf',
  'ssiuml.conf',
  'manifest.json',
  'SHA256SUMS',
];

/**
 * Notes what is wrong between keys that are right by themselves. What is wrong by itself is left out.
 */
export function checkConsistency(recipe: CheckedRecipe): void {
  new ConsistencyCheck(recipe).run();
}

class ConsistencyCheck {
  constructor(private readonly recipe: CheckedRecipe) {}

  run(): void {
    checkAlternatives(this.recipe);
    this.checkToolsDigest();
    this.checkRevision();
    this.checkNetwork();
    this.checkPools();
    checkFilesystemKeys(this.recipe);
    checkNodeKeys(this.recipe);
    this.checkFilesystem();
    this.checkJournals();
    this.checkUbd();
    this.checkFiles();
    checkTestKeys(this.recipe);
    this.checkVariableNames();
  }

  /** With a map as the source its digest stands in it. */
  private checkToolsDigest(): void {
    if (nodeAt(this.recipe.root, ['clusterTools', 'source'])?.kind !== 'map') return;
    for (const key of ['sha256', 'mirrors']) {
      const mark = keyAt(this.recipe.root, ['clusterTools', key]);
      if (mark !== undefined)
        this.recipe.faults.add(mark, `with a map as source, "${key}" stands in that map`);
    }
  }

  private checkRevision(): void {
    const path = ['clusterTools', 'source', 'cvs'];
    const [date, tag] = [
      keyAt(this.recipe.root, [...path, 'date']),
      keyAt(this.recipe.root, [...path, 'tag']),
    ];
    if (date === undefined || tag === undefined) return;
    this.recipe.faults.add(tag, 'cvs has both "date" and "tag": at most one of them belongs here', {
      related: [{ mark: date, what: '"date" is here' }],
    });
  }

  private checkNetwork(): void {
    const path = ['cluster', 'network'];
    const text = this.recipe.text(path);
    const network = text === undefined ? undefined : parseNetwork(text);
    if (text === undefined || network === undefined) return;
    if (network.written !== network.first) {
      const right = `${addressOf(network.first)}/${network.prefix}`;
      this.recipe.fault(path, `${text} is an address in a network, not a network`, {
        hint: `The network is ${right}.`,
      });
      return;
    }
    const nodes = this.recipe.number(['cluster', 'nodes']);
    if (nodes !== undefined && nodes > network.hosts) {
      this.recipe.fault(path, `${text} has room for ${network.hosts} nodes, but the cluster has ${nodes}`, {
        related: this.recipe.here(['cluster', 'nodes'], 'the number of nodes is here'),
      });
      return;
    }
    this.checkLockServer(network.first, network.hosts, nodes ?? 0);
  }

  private checkLockServer(first: number, hosts: number, nodes: number): void {
    const path = ['cluster', 'lockServer'];
    const [address = ''] = this.recipe.text(path)?.split(':') ?? [];
    const number = (parseAddress(address) ?? Number.NaN) - first;
    if (number >= 1 && number <= nodes) {
      this.recipe.fault(path, `${address} is node ${number}: the lock server is no node of the cluster`);
    } else if (number === 0 || number === hosts + 1) {
      this.recipe.fault(path, `${address} is no address of a host in the cluster's network`);
    }
  }

  private checkPools(): void {
    const pools = this.recipe.items(['pools']);
    for (const key of ['name', 'image', 'device']) this.checkUnique(pools, key);
    const taken = new Set(outputNames);
    for (const path of pools) taken.add(`${this.recipe.text([...path, 'name']) ?? ''}.cf`);
    for (const path of pools) {
      const name = this.recipe.text([...path, 'name']);
      if (name !== undefined && outputNames.includes(`${name}.cf`)) {
        this.recipe.fault(
          [...path, 'name'],
          `the configuration file ${name}.cf would be another output of the build`,
        );
      }
      const image = this.recipe.text([...path, 'image']);
      if (image !== undefined && taken.has(image)) {
        this.recipe.fault([...path, 'image'], `${image} is another output of the build`, {
          hint: 'Choose another file name, such as root_fs.',
        });
      }
    }
  }

  private checkUnique(paths: readonly RecipePath[], key: string): void {
    const seen = new Map<string, RecipePath>();
    for (const parent of paths) {
      const path = [...parent, key];
      const value = this.recipe.text(path);
      if (value === undefined) continue;
      const earlier = seen.get(value);
      if (earlier === undefined) seen.set(value, path);
      else {
        this.recipe.fault(path, `${key} ${quoted(value)} belongs to two pools`, {
          related: this.recipe.here(earlier, 'the first is here'),
        });
      }
    }
  }

  private checkFilesystem(): void {
    const names = new Map<string, RecipePath>();
    const pools = this.recipe.items(['pools']);
    for (const path of pools) {
      const name = this.recipe.text([...path, 'name']);
      if (name !== undefined) names.set(name, path);
    }
    // A pool without a sound name may be the one that is meant.
    if (names.size < pools.length || pools.length === 0) return;
    const name = this.recipe.text(['filesystem', 'pool']);
    const pool = name === undefined ? undefined : names.get(name);
    const known = {
      hint: `Pools: ${[...names.keys()].join(', ')}.`,
      related: this.recipe.here(['pools'], 'the pools are here'),
    };
    if (name !== undefined && pool === undefined) {
      this.recipe.fault(['filesystem', 'pool'], `there is no pool ${quoted(name)}`, known);
    } else if (pool !== undefined && this.recipe.text([...pool, 'type']) === 'gfs_journal') {
      this.recipe.fault(
        ['filesystem', 'pool'],
        `the pool ${quoted(name ?? '')} is for journals, not for a filesystem`,
        {
          related: this.recipe.here([...pool, 'type'], 'its type is here'),
        },
      );
    }
    const table = this.recipe.text(['filesystem', 'lockTable'])?.replace('/dev/pool/', '');
    if (table === undefined) return;
    if (!names.has(table))
      this.recipe.fault(['filesystem', 'lockTable'], `there is no pool ${quoted(table)}`, known);
    else if (table === name) {
      this.recipe.fault(
        ['filesystem', 'lockTable'],
        `the pool ${quoted(table)} holds the filesystem: the lock table needs another one`,
        known,
      );
    }
  }

  private checkJournals(): void {
    if (this.recipe.text(['filesystem', 'type']) === 'ext2') return;
    const journalsPath = ['filesystem', 'journals'];
    const nodes = this.recipe.number(['cluster', 'nodes']);
    const isGiven = nodeAt(this.recipe.root, journalsPath) !== undefined;
    const journals = isGiven ? this.recipe.number(journalsPath) : nodes;
    if (journals === undefined) return;
    if (nodes !== undefined && journals < nodes) {
      this.recipe.fault(
        journalsPath,
        `${journals} journals are too few for ${nodes} nodes: each needs its own`,
        {
          related: this.recipe.here(['cluster', 'nodes'], 'the number of nodes is here'),
        },
      );
      return;
    }
    const sizePath = this.sizePath();
    const size = sizePath === undefined ? undefined : this.recipe.size(sizePath);
    const journalSize = this.recipe.size(['filesystem', 'journalSize'], DEFAULTS.journalSize);
    const blockSize = this.recipe.number(['filesystem', 'blockSize'], DEFAULTS.blockSize);
    if (sizePath === undefined || size === undefined || journalSize === undefined || blockSize === undefined)
      return;
    const needed = journals * journalSize + LEAST_BLOCKS * blockSize + POOL_LABEL_BYTES;
    if (size >= needed) return;
    this.recipe.fault(
      sizePath,
      `${formatSize(size)} is too small: ${journals} journals of ${formatSize(journalSize)} alone take ${formatSize(journals * journalSize)}`,
      {
        hint: 'Make it larger, or use fewer or smaller journals.',
        related: isGiven
          ? this.recipe.here(journalsPath, 'the journals are here')
          : this.recipe.here(['cluster', 'nodes'], 'each node has a journal'),
      },
    );
  }

  /** The key that says how large the root's filesystem is. */
  private sizePath(): RecipePath | undefined {
    if (this.recipe.text(['filesystem', 'type']) === 'gfs2') return ['filesystem', 'size'];
    const name = this.recipe.text(['filesystem', 'pool']);
    const pool = this.recipe.items(['pools']).find((path) => this.recipe.text([...path, 'name']) === name);
    return pool === undefined ? undefined : [...pool, 'size'];
  }

  private checkUbd(): void {
    const path = ['configure', 'ubd', 'devices'];
    const devices = this.recipe.number(path, DEFAULTS.ubdDevices);
    const step = this.recipe.number(['configure', 'ubd', 'minorStep'], DEFAULTS.ubdMinorStep);
    if (devices === undefined || step === undefined || devices * step <= MINORS) return;
    this.recipe.fault(
      path,
      `${devices} devices with ${step} minor numbers each: there are only ${MINORS} of them`,
      {
        hint: `At most ${MINORS / step} devices fit.`,
      },
    );
  }

  private checkFiles(): void {
    const texts = new Map<string, RecipePath>();
    for (const path of this.recipe.items(['configure', 'files'])) {
      const map = nodeAt(this.recipe.root, path);
      if (map?.kind !== 'map' || !map.entries.has('content')) continue;
      const key = [...path, map.entries.has('to') ? 'to' : 'path'];
      const to = this.recipe.text(key);
      if (to === undefined) continue;
      const earlier = texts.get(to);
      if (to === '/') this.recipe.fault(key, 'a text has the name of a file, not /');
      else if (earlier !== undefined) {
        this.recipe.fault(key, `${to} gets a second text`, {
          related: this.recipe.here(earlier, 'the first is here'),
        });
      } else texts.set(to, key);
    }
  }

  /** With such a name `--set` could not tell the variable from the key. */
  private checkVariableNames(): void {
    const variables = nodeAt(this.recipe.root, ['variables']);
    if (variables?.kind !== 'map') return;
    for (const [name, { key }] of variables.entries) {
      if (RECIPE_KEYS.includes(name))
        this.recipe.faults.add(key, `"${name}" is a key of recipes, so no variable can have this name`);
    }
  }
}
