/** This file owns a queue's settings: whether it hands out jobs, how many, and where its jobs must be to count as stored. */
import type { Keyspace } from '@sluice/config';
import { type RedisClient, writeProven } from '@sluice/redis';
import { DomainError } from '@sluice/runtime';
import { check } from './data.ts';
import type { DurableConnections } from './durable-connections.ts';
import { PROOF_BUDGET_MS, type ProvenDurability } from './durable-lane.ts';
import { type OpenQueue, type Queues, registerQueue } from './queues.ts';
import { type JobsErrorCode, type QueueLimitsPatch, queueLimitsSchema } from './schemas.ts';
import { setLimits } from './scripts.ts';

/** In BullMQ's hash of a queue's settings, beside its own. */
export const GROUP_LIMIT_FIELDS = ['group.concurrency', 'group.max', 'group.duration'] as const;
export const DURABILITY_FIELD = 'sluice.durability';

/** Of each group of a queue; `null`: no bound. */
export interface GroupLimits {
  concurrency: number | null;
  rate: { max: number; durationMs: number } | null;
}

/** The values of `GROUP_LIMIT_FIELDS`; `undefined` when nothing is bounded. */
export function readGroupLimits(values: readonly (string | null)[]): GroupLimits | undefined {
  const [concurrency = null, max = null, duration = null] = values;
  if (concurrency === null && max === null) return undefined;
  return {
    concurrency: concurrency === null ? null : Number(concurrency),
    rate: max === null || duration === null ? null : { max: Number(max), durationMs: Number(duration) },
  };
}

/** Of a proof that did not come in time. */
const REMEDIES: Readonly<Record<ProvenDurability, string>> = {
  aof: 'The disk is slower than the wait: see INFO persistence',
  replica: 'Connect a replica: see INFO replication, and set replicaof on another server',
  'aof+replica': 'Connect a replica that has appendonly yes: see INFO replication',
};

export interface QueueSettingsOptions {
  client: RedisClient;
  keys: Keyspace;
  queues: Queues;
  durable: DurableConnections;
}

export class QueueSettings {
  readonly #options: QueueSettingsOptions;

  constructor(options: QueueSettingsOptions) {
    this.#options = options;
  }

  /** Jobs that run go on; none is handed out. A queue may be paused before its first job. */
  async pause(name: string): Promise<void> {
    const queue = await this.#known(name);
    await (await queue.backend()).pause(true);
  }

  async resume(name: string): Promise<void> {
    const queue = await this.#known(name);
    await (await queue.backend()).pause(false);
  }

  /** BullMQ's names: `max` jobs in `duration` milliseconds. Code `durability_refused`; then nothing is set. */
  async limit(name: string, patch: QueueLimitsPatch): Promise<void> {
    const { concurrency, rate, group, durability } = check(queueLimitsSchema, patch, []);
    const queue = await this.#known(name);
    const { keys } = queue;
    const isProven = durability !== undefined && durability !== null && durability !== 'memory';
    if (isProven) await this.#tryOut(queue, durability);
    const settings: (string | number)[] = [];
    if (concurrency !== undefined) settings.push('concurrency', concurrency ?? '');
    if (rate !== undefined) settings.push('max', rate?.max ?? '', 'duration', rate?.duration ?? '');
    if (group !== undefined) {
      const values = [group?.concurrency, group?.rate?.max, group?.rate?.duration];
      for (const [index, field] of GROUP_LIMIT_FIELDS.entries()) settings.push(field, values[index] ?? '');
    }
    if (durability !== undefined) settings.push(DURABILITY_FIELD, isProven ? durability : '');
    if (settings.length > 0)
      await setLimits.run(this.#options.client, { keys, args: {}, moreArgs: settings });
  }

  /** A write that changes nothing, proven as each job will have to be. */
  async #tryOut({ name, keys }: OpenQueue, durability: ProvenDurability): Promise<void> {
    const tried = await this.#options.durable.use(keys.id, (client) =>
      writeProven(client, {
        key: keys.id,
        proofs: [durability],
        timeoutMs: PROOF_BUDGET_MS,
        write: (pipeline) => void pipeline.incrby(keys.id, 0),
      }),
    );
    const reason =
      tried.kind === 'impossible'
        ? tried.reason
        : tried.shortfall && `${REMEDIES[durability]} (${tried.shortfall})`;
    if (reason === undefined) return;
    throw new DomainError<JobsErrorCode>(
      'durability_refused',
      `Queue ${name} cannot have durability ${durability}, as Redis is. ${reason}`,
      { details: { durability } },
    );
  }

  async #known(name: string) {
    const { client, keys, queues } = this.#options;
    const queue = queues.open(name);
    await registerQueue(client, keys, name);
    return queue;
  }
}
