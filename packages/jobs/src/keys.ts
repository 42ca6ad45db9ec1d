/**
 * This file owns the Redis keys of jobs. BullMQ's own keys are spelled here once more, for our scripts; what they hold
 * and what removes them is BullMQ's.
 *
 * | key | holds | until |
 * |---|---|---|
 * | `{prefix}:jobs:queues` | set of the names of queues that have been used | its queue is obliterated |
 * | `{queuePrefix}:{queue}:…` | BullMQ's keys and the jobs' hashes | BullMQ's rules, retention, obliterate |
 * | `{queuePrefix}:{queue}:sluice:backlog:{hash}` | what one caller has waiting, if that is bounded | 30 days after his last job |
 * | `{queuePrefix}:{queue}:sluice:once:{hash}` | idempotency record | its window has passed |
 * | `{queuePrefix}:{queue}:sluice:turns` | zset of groups by their last turn | nobody of a group waits when one is enqueued; 7 days |
 * | `{queuePrefix}:{queue}:sluice:running:{hash}` | zset of a bounded group's attempts | 30 s after the last renewal |
 * | `{queuePrefix}:{queue}:sluice:parked:{hash}` | zset of its jobs that wait for one to end | a day after the last is due |
 * | `{queuePrefix}:{queue}:sluice:slot:{hash}` | when the next slot of its rate is | it has passed |
 * | `{queuePrefix}:{queue}:sluice:last-jobs` | hash of each group's last job in line | with the turns |
 * | `{queuePrefix}:{queue}:sluice:leases` | zset of leased jobs by the time their lease runs out | each is settled, or looked at when it has run out |
 * | `{prefix}:jobs:leased` | set of the names of queues that may have leases | a queue has none left, and nothing active |
 * | `{prefix}:jobs:scheduler-audit` | that a process looks for stopped schedulers | 14 s |
 *
 * BullMQ's hash of a queue's settings (`meta`) holds ours as well: `group.*`, `sluice.stalled` and `sluice.durability`.
 *
 * Two fields of ours are in a job's hash, and go with it: `sluice:lease`, the token under which it was last settled, and
 * `sluice:until`, when the attempt of a leased job with a timeout has to be over.
 */
import { createHash } from 'node:crypto';
import type { Keyspace } from '@sluice/config';
import type { ListedState } from './schemas.ts';

export function queueRegistry(keys: Keyspace): string {
  return `${keys.root('jobs')}:queues`;
}

export function schedulerAuditKey(keys: Keyspace): string {
  return `${keys.root('jobs')}:scheduler-audit`;
}

export function leasedQueues(keys: Keyspace): string {
  return `${keys.root('jobs')}:leased`;
}

/** BullMQ's names of its keys. A job's hash is `base` + id, which is why an id is checked before it becomes a key. */
const QUEUE_KEYS = [
  'wait',
  'active',
  'paused',
  'delayed',
  'prioritized',
  'waiting-children',
  'completed',
  'failed',
  'meta',
  'id',
  'pc',
  'events',
  'marker',
  'limiter',
  'repeat',
  'stalled',
  'stalled-check',
] as const;

export type QueueKeys = Readonly<
  Record<(typeof QUEUE_KEYS)[number] | 'base' | 'turns' | 'last_jobs', string>
>;

export function queueKeys(keys: Keyspace, queue: string): QueueKeys {
  const base = `${keys.queuePrefix(queue)}:${queue}:`;
  const named = QUEUE_KEYS.map((name) => [name, base + name]);
  return { base, ...Object.fromEntries(named), ...turnKeys(base) } as QueueKeys;
}

/** What bounds one group. */
export function groupKeys(
  { base }: QueueKeys,
  group: string,
): Readonly<Record<'running' | 'parked' | 'slot', string>> {
  const name = digest(group);
  return {
    running: `${base}sluice:running:${name}`,
    parked: `${base}sluice:parked:${name}`,
    slot: `${base}sluice:slot:${name}`,
  };
}

/** What is remembered of the groups that wait. */
export function turnKeys(base: string): { turns: string; last_jobs: string } {
  return { turns: `${base}sluice:turns`, last_jobs: `${base}sluice:last-jobs` };
}

/** With what leases need beside BullMQ's own. */
export type LeaseKeys = QueueKeys & Readonly<Record<'leases' | 'totals' | 'minutes', string>>;

export function leaseKeys(keys: QueueKeys): LeaseKeys {
  const { totals, perMinute } = metricsKeys(keys, 'completed');
  return { ...keys, leases: `${keys.base}sluice:leases`, totals, minutes: perMinute };
}

export function jobKeys({ base }: QueueKeys, id: string): Readonly<Record<'job' | 'lock' | 'logs', string>> {
  return { job: base + id, lock: `${base}${id}:lock`, logs: `${base}${id}:logs` };
}

/** The list or zset a state's jobs are kept in. */
export function placeOf(keys: QueueKeys, state: ListedState): string {
  return keys[state === 'waiting' ? 'wait' : state];
}

export function metricsKeys(
  { base }: QueueKeys,
  state: 'completed' | 'failed',
): { totals: string; perMinute: string } {
  return { totals: `${base}metrics:${state}`, perMinute: `${base}metrics:${state}:data` };
}

export function deduplicationKeys({ base }: QueueKeys, id: string): { current: string; next: string } {
  return { current: `${base}de:${id}`, next: `${base}dn:${id}` };
}

/** A zset of job ids; expires 30 days after the owner's last job. */
export function backlogKey({ base }: QueueKeys, owner: string): string {
  return `${base}sluice:backlog:${digest(owner)}`;
}

export function idempotencyRecord({ base }: QueueKeys, key: string): string {
  return `${base}sluice:once:${digest(key)}`;
}

/** 132 bits of SHA-256: short, and nobody finds two texts of one digest. */
export function digest(...parts: readonly string[]): string {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(`${Buffer.byteLength(part)}:`).update(part);
  return hash.digest('base64url').slice(0, 22);
}

/** Ids that would name one of BullMQ's keys, or ours, instead of a job. */
const RESERVED_IDS: ReadonlySet<string> = new Set([
  ...QUEUE_KEYS,
  '',
  'de',
  'dn',
  'metrics',
  'priority',
  'delay',
  'sluice',
]);
const SCHEDULED_ID = /^repeat:[A-Za-z0-9_-]{1,64}:\d{1,16}$/;
const PLAIN_ID = /^[^:\p{Cc}\p{Surrogate}]{1,256}$/u;

/** Whether a job may have this id: ours, one a scheduler made, or one of a stock BullMQ producer. What it refuses is never made into a key. */
export function isJobId(id: string): boolean {
  if (typeof id !== 'string') return false;
  return (PLAIN_ID.test(id) && !RESERVED_IDS.has(id)) || SCHEDULED_ID.test(id);
}
