import { printLockTable } from '../../images/lock-table/config.js';
import { type PoolConfig, printPoolConfig } from '../../images/pool/config.js';
import type { JsonValue } from '../cache/canonical-json.js';
import type { Stage } from '../engine/stage.js';
import type { PoolSettings, Recipe } from '../recipe/recipe.js';

/** The configuration of a pool of one image (HOWTO 5.2): one subpool, one device. */
export function poolConfigOf(pool: PoolSettings): PoolConfig {
  return {
    name: pool.name,
    minor: 0,
    subpools: [{ id: 0, stripe: 0, devices: 1, type: pool.type }],
    devices: [{ subpool: 0, id: 0, path: pool.device, weight: 0 }],
  };
}

/** The text of the lock table `gfscf.cf` (HOWTO 5.2). */
export function lockTableOf({ cluster, filesystem }: Recipe): string {
  return printLockTable({
    datadev: `/dev/pool/${filesystem.pool}`,
    cidev: filesystem.lockTable,
    lockdev: cluster.lockServer,
    cbport: cluster.callbackPort,
    timeout: cluster.timeout,
    stomith: cluster.stomith,
    name: 'none',
    nodes: cluster.addresses.map((ip, index) => ({ ip, cid: index + 1, sm: 'none' })),
  });
}

/** What of a recipe stands in its lock table. */
export function lockTableSettings({ cluster, filesystem }: Recipe): JsonValue & object {
  const { pool, lockTable } = filesystem;
  return { cluster, filesystem: { pool, lockTable } } as unknown as JsonValue & object;
}

/** Name of a pool's configuration file. */
export function poolFileName(pool: Pick<PoolSettings, 'name'>): string {
  return `${pool.name}.cf`;
}

/** The pool whose device holds the lock table. */
export function lockTablePool({ pools, filesystem }: Pick<Recipe, 'pools' | 'filesystem'>): PoolSettings {
  const pool = pools.find(({ name }) => `/dev/pool/${name}` === filesystem.lockTable);
  if (pool === undefined) throw new RangeError(`no pool for ${filesystem.lockTable}`);
  return pool;
}

/** The pool that holds the root. */
export function rootPool({ pools, filesystem }: Pick<Recipe, 'pools' | 'filesystem'>): PoolSettings {
  const pool = pools.find(({ name }) => name === filesystem.pool);
  if (pool === undefined) throw new RangeError(`no pool ${filesystem.pool}`);
  return pool;
}

export const LOCK_TABLE_NAME = 'gfscf.cf';
export const CLUSTER_FILE_NAME = 'ssiuml.conf';

/**
 * HOWTO 5.2: writes the files that `ptool` and `gfsconf` take, and `ssiuml.conf`, from which the cluster is started
 * (HOWTO 2.4).
 */
export function poolsStage(recipe: Recipe): Stage {
  const files = new Map<string, string>([
    ...recipe.pools.map((pool) => [poolFileName(pool), printPoolConfig(poolConfigOf(pool))] as const),
    [LOCK_TABLE_NAME, lockTableOf(recipe)],
    [CLUSTER_FILE_NAME, clusterFile(recipe)],
  ]);
  return {
    name: 'pools',
    title: 'Write the pool and lock table configurations',
    module: import.meta.url,
    parameters: { pools: recipe.pools, ...lockTableSettings(recipe) } as unknown as JsonValue,
    inputs: {},
    tools: [],
    artifacts: [...files.keys()],
    keeping: 'stored',
    run: async () => ({
      artifacts: Object.fromEntries(
        [...files].map(([name, text]) => [name, { kind: 'bytes', bytes: Buffer.from(text) }]),
      ),
    }),
  };
}

/** Where the cluster's parts lie: relative to the file, so that the folder can move. */
function clusterFile(recipe: Recipe): string {
  return `ROOT=${rootPool(recipe).image}\nCIDEV=${lockTablePool(recipe).image}\n`;
}
