import { printLockTable } from '../../images/lock-table/config.js';
import { type PoolConfig, printPoolConfig } from '../../images/pool/config.js';
import type { JsonValue } from '../cache/canonical-json.js';
import type { Stage } from '../engine/stage.js';
import type { OpenGfsRecipe, PoolSettings } from '../recipe/recipe.js';

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
export function lockTableOf({ cluster, filesystem }: OpenGfsRecipe): string {
  const { lockServer } = cluster;
  if (lockServer === undefined) throw new RangeError('an OpenGFS root without a lock server');
  return printLockTable({
    datadev: `/dev/pool/${filesystem.pool}`,
    cidev: filesystem.lockTable,
    lockdev: lockServer,
    cbport: cluster.callbackPort,
    timeout: cluster.timeout,
    stomith: cluster.stomith,
    name: 'none',
    nodes: cluster.addresses.map((ip, index) => ({ ip, cid: index + 1, sm: 'none' })),
  });
}

/** What of a recipe stands in its lock table. */
export function lockTableSettings({ cluster, filesystem }: OpenGfsRecipe): JsonValue & object {
  const { addresses, lockServer, callbackPort, timeout, stomith } = cluster;
  const { pool, lockTable } = filesystem;
  return {
    cluster: { addresses: [...addresses], lockServer: lockServer ?? null, callbackPort, timeout, stomith },
    filesystem: { pool, lockTable },
  };
}

/** Name of a pool's configuration file. */
export function poolFileName(pool: Pick<PoolSettings, 'name'>): string {
  return `${pool.name}.cf`;
}

/** The pool whose device holds the lock table. */
export function lockTablePool({
  pools,
  filesystem,
}: Pick<OpenGfsRecipe, 'pools' | 'filesystem'>): PoolSettings {
  const pool = pools.find(({ name }) => `/dev/pool/${name}` === filesystem.lockTable);
  if (pool === undefined) throw new RangeError(`no pool for ${filesystem.lockTable}`);
  return pool;
}

/** The pool that holds the root. */
export function rootPool({ pools, filesystem }: Pick<OpenGfsRecipe, 'pools' | 'filesystem'>): PoolSettings {
  const pool = pools.find(({ name }) => name === filesystem.pool);
  if (pool === undefined) throw new RangeError(`no pool ${filesystem.pool}`);
  return pool;
}

export const LOCK_TABLE_NAME = 'gfscf.cf';

/** HOWTO 5.2: writes the files that `ptool` and `gfsconf` take. */
export function poolsStage(recipe: OpenGfsRecipe): Stage {
  const files = new Map<string, string>([
    ...recipe.pools.map((pool) => [poolFileName(pool), printPoolConfig(poolConfigOf(pool))] as const),
    [LOCK_TABLE_NAME, lockTableOf(recipe)],
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
