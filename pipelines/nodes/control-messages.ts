import { z } from 'zod';
import type { Diagnostic } from '../../images/diagnostic.js';
import type { CommandEnd } from './agent.js';
import type { ClusterEvent } from './cluster-events.js';
import type { ClusterStatus } from './cluster-status.js';
import type { LeaveResult } from './shutdown.js';

/** Changes with every change of what commands and supervisors say to each other. */
export const CONTROL_VERSION = 2;

const node = z.number().int().min(0).max(255);
const path = z.string().min(1).max(4096);
const milliseconds = z
  .number()
  .min(0)
  .max(24 * 3600 * 1000);

const settings = z.strictObject({
  kernel: path,
  ramdisk: path,
  lockServerRamdisk: path.optional(),
  root: path,
  lockTable: path.optional(),
  memoryMiB: z.number().int().positive(),
  inPlace: z.boolean(),
  append: z.array(z.string().max(1024)).max(64),
});

/** What commands ask of a supervisor. */
export const requestSchema = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.literal('start'),
    /** Nodes 1 to so many. */
    count: node,
    settings,
    fresh: z.boolean(),
    milliseconds,
  }),
  z.strictObject({ type: z.literal('add'), nodes: z.array(node).max(255), milliseconds }),
  z.strictObject({ type: z.literal('crash'), nodes: z.array(node).max(255) }),
  z.strictObject({ type: z.literal('stop'), now: z.boolean(), milliseconds }),
  z.strictObject({ type: z.literal('status') }),
  /** The cluster is there for this connection: when it breaks, all of it ends. The end of its input lets go. */
  z.strictObject({ type: z.literal('hold') }),
  z.strictObject({ type: z.literal('run'), node, command: z.array(z.string()).min(1).max(65_536) }),
  z.strictObject({ type: z.literal('console'), node }),
  /** While a command runs in a node. */
  z.strictObject({ type: z.literal('signal'), name: z.string().regex(/^[A-Z0-9]{1,10}$/) }),
]);

export type Request = z.infer<typeof requestSchema>;

/** What a supervisor answers: events, and then one of the others. */
export type Reply =
  | { readonly type: 'event'; readonly event: ClusterEvent }
  | { readonly type: 'done'; readonly result: Result }
  | { readonly type: 'failed'; readonly diagnostics: readonly Diagnostic[] };

export type Result =
  | { readonly kind: 'nothing' }
  /** After start and add: the nodes that are up. */
  | { readonly kind: 'nodes'; readonly up: readonly number[]; readonly started: readonly number[] }
  | { readonly kind: 'stopped'; readonly nodes: readonly LeaveResult[] }
  | { readonly kind: 'status'; readonly status: ClusterStatus }
  | { readonly kind: 'ended'; readonly end: CommandEnd }
  /** The console is attached, or the command runs: input is taken from now on, and the result comes at the end. */
  | { readonly kind: 'attached' };
