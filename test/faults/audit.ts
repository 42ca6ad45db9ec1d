/** This file owns the audit of the store (I6): every job in exactly one place, nothing in a place without a job, no lock left. */
import { type Keyspace, keyspace } from '@sluice/config';
import { type RedisClient, scanKeys } from '@sluice/redis';
import { type Topology, withClient } from './topology.ts';

/** BullMQ's keys of a queue that hold ids of jobs. */
const LISTS = ['wait', 'active', 'paused'] as const;
const SORTED = ['delayed', 'prioritized', 'waiting-children', 'completed', 'failed'] as const;
const ENDED: readonly string[] = ['completed', 'failed'];
const PAGE = 5_000;

export interface Audit {
  /** Hashes of jobs. */
  jobs: number;
  /** By place. */
  counts: Record<string, number>;
  failed: { id: string; reason: string }[];
  /** What should not be, in words; at most 20. */
  faults: string[];
  faultCount: number;
}

/** Of all these queues together, when nothing runs. */
export async function auditStore(topology: Topology, queues: readonly string[]): Promise<Audit> {
  const keys = keyspace('dreamfactory', { isCluster: topology.config.kind === 'cluster' });
  const audit: Audit = { jobs: 0, counts: {}, failed: [], faults: [], faultCount: 0 };
  await withClient(topology.config, async (client) => {
    for (const queue of queues) await auditQueue(client, keys, queue, audit);
  });
  return audit;
}

async function auditQueue(client: RedisClient, keys: Keyspace, queue: string, audit: Audit): Promise<void> {
  const base = `${keys.queuePrefix(queue)}:${queue}:`;
  const fault = (text: string) => {
    audit.faultCount += 1;
    if (audit.faults.length < 20) audit.faults.push(`${queue}: ${text}`);
  };
  const places = new Map<string, string[]>();
  const put = (id: string, place: string) => {
    // A marker of BullMQ's, not a job.
    if (id.startsWith('0:')) return;
    places.set(id, [...(places.get(id) ?? []), place]);
    audit.counts[place] = (audit.counts[place] ?? 0) + 1;
    if (!ENDED.includes(place)) fault(`${id} is still ${place}`);
  };
  for (const place of LISTS) for (const id of await client.lrange(base + place, 0, -1)) put(id, place);
  for (const place of SORTED) {
    for (let from = 0; ; from += PAGE) {
      const page = await client.zrange(base + place, String(from), String(from + PAGE - 1));
      for (const id of page) put(id, place);
      if (page.length < PAGE) break;
    }
  }
  const hashes = new Set<string>();
  for await (const page of scanKeys(client, base)) {
    for (const key of page) {
      const rest = key.slice(base.length);
      if (rest.endsWith(':lock')) fault(`lock of ${rest.slice(0, -5)} is left`);
      if (/^j_[^:]+$|^repeat:[^:]+:\d+$/.test(rest)) hashes.add(rest);
    }
  }
  audit.jobs += hashes.size;
  for (const id of hashes) {
    const found = places.get(id) ?? [];
    if (found.length !== 1) fault(`${id} is in ${found.length} places: ${found.join(', ') || 'none'}`);
  }
  for (const [id, found] of places) {
    if (!hashes.has(id)) fault(`${id} is in ${found.join(', ')} and has no data`);
    if (!found.includes('failed')) continue;
    audit.failed.push({ id, reason: (await client.hget(base + id, 'failedReason')) ?? '' });
  }
}
