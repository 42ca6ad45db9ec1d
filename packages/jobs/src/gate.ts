/**
 * This file owns the bounds of groups: how many jobs of one group run at a time, and how many begin in a time. A job over
 * them goes to the delayed ones, its attempt uncounted: until its slot (rate), or until one of its group ends (concurrency).
 *
 *   taken -> may begin -> runs -> ended: wakes the next of its group
 *         -> parked: delayed by 30 s and more, should nobody wake it
 *         -> booked: delayed until its slot
 *
 * Only our workers ask: stock BullMQ workers and leases pass by. When Redis does not answer, jobs pass.
 */
import type { RedisClient } from '@sluice/redis';
import { groupKeys, type QueueKeys } from './keys.ts';
import { GROUP_LIMIT_FIELDS, type GroupLimits, readGroupLimits } from './queue-settings.ts';
import { enterGroup, leaveGroup, stayInGroup } from './scripts.ts';

/** A bound that was set or taken away is felt by then. */
const LIMITS_AGE_MS = 1_000;
/** An attempt whose worker has died counts for so long; one that lives says so three times within. */
const DEFAULT_HOLD_MS = 30_000;
/** So long after a bound was taken away, jobs without one wake what it has parked. */
const FREED_MS = 3_600_000;
/** A bound that was taken away while jobs are parked. */
const UNBOUNDED = 1_000_000;
/** In one call of the script, which says so too. */
const MAX_WOKEN = 100;

export interface Entry {
  group: string;
  jobId: string;
  /** This attempt, unlike all others of the job. */
  attempt: string;
}

export interface Refusal {
  kind: 'booked' | 'parked';
  delayMs: number;
}

export type Admission = { kind: 'admitted' } | Refusal;

export interface GateOptions {
  client: RedisClient;
  keys: QueueKeys;
  /** Makes a delayed job run now. Rejects when it is not delayed. */
  promote: (jobId: string) => Promise<void>;
  /** How long an attempt counts that is not heard of; default 30 s. */
  holdMs?: number | undefined;
}

export class Gate {
  readonly #options: GateOptions;
  readonly #holdMs: number;
  readonly #inside = new Set<Entry>();
  #limits: Promise<GroupLimits | undefined> = Promise.resolve(undefined);
  #readAt = Number.NEGATIVE_INFINITY;
  #wasBoundedAt = Number.NEGATIVE_INFINITY;
  /** Not counted, since the bound was taken away; jobs parked before that may wait for them. */
  readonly #freed = new Set<Entry>();
  #renewal: NodeJS.Timeout | undefined;

  constructor(options: GateOptions) {
    this.#options = options;
    this.#holdMs = options.holdMs ?? DEFAULT_HOLD_MS;
  }

  /** Never rejects. An admitted job must `leave`; one that was parked is told when it lies among the delayed. */
  async enter(entry: Entry): Promise<Admission> {
    const limits = await this.#currentLimits();
    const refusal = limits && (await this.#ask(entry, limits));
    if (refusal) return refusal;
    if (limits && limits.concurrency !== null) this.#hold(entry);
    else if (performance.now() - this.#wasBoundedAt < FREED_MS) this.#freed.add(entry);
    return { kind: 'admitted' };
  }

  /** Never rejects. */
  async leave(entry: Entry): Promise<void> {
    const isFreed = this.#freed.delete(entry);
    if (!this.#inside.delete(entry) && !isFreed) return;
    if (this.#inside.size === 0) this.stop();
    await this.#wake(entry.group, { attempt: entry.attempt });
  }

  /** The job lies among the delayed now; one may have ended meanwhile. Never rejects. */
  async parked({ group, jobId }: Entry, delayMs: number): Promise<void> {
    await this.#wake(group, { id: jobId, delay_ms: delayMs });
  }

  stop(): void {
    clearInterval(this.#renewal);
    this.#renewal = undefined;
  }

  async #ask(entry: Entry, { concurrency, rate }: GroupLimits): Promise<Refusal | undefined> {
    const { client, keys } = this.#options;
    const { running, parked, slot } = groupKeys(keys, entry.group);
    try {
      const [delayMs, isParked] = (await enterGroup.run(client, {
        keys: { job: keys.base + entry.jobId, running, parked, slot },
        args: {
          attempt: entry.attempt,
          id: entry.jobId,
          hold_ms: this.#holdMs,
          concurrency: concurrency ?? '',
          max: rate?.max ?? '',
          duration: rate?.durationMs ?? '',
        },
      })) as [number, number];
      return delayMs > 0 ? { kind: isParked === 1 ? 'parked' : 'booked', delayMs } : undefined;
    } catch {
      // Redis is away: a bound of a tenant is no reason to hold a job that was handed out.
      return undefined;
    }
  }

  #hold(entry: Entry): void {
    this.#inside.add(entry);
    this.#renewal ??= setInterval(() => void this.#renew(), this.#holdMs / 3).unref();
  }

  async #renew(): Promise<void> {
    const { client, keys } = this.#options;
    const byGroup = new Map<string, string[]>();
    for (const { group, attempt } of this.#inside)
      byGroup.set(group, [...(byGroup.get(group) ?? []), attempt]);
    await Promise.all(
      [...byGroup].map(([group, attempts]) =>
        stayInGroup
          .run(client, {
            keys: groupKeys(keys, group),
            args: { hold_ms: this.#holdMs },
            moreArgs: attempts,
          })
          // Unanswered, the next round renews them.
          .catch(() => undefined),
      ),
    );
  }

  async #wake(group: string, told: { attempt?: string; id?: string; delay_ms?: number }): Promise<void> {
    const { client, keys, promote } = this.#options;
    const concurrency = (await this.#currentLimits())?.concurrency ?? UNBOUNDED;
    const args = { attempt: '', id: '', delay_ms: 0, ...told, concurrency };
    try {
      let woken: string[];
      do {
        woken = (await leaveGroup.run(client, { keys: groupKeys(keys, group), args })) as string[];
        // One that is no longer delayed was woken, cancelled or removed by somebody else.
        await Promise.all(woken.map((id) => promote(id).catch(() => undefined)));
        // Where there is no bound any more nobody counts those that were woken.
      } while (concurrency === UNBOUNDED && woken.length === MAX_WOKEN);
    } catch {
      // Redis is away: they come to look by themselves.
    }
  }

  #currentLimits(): Promise<GroupLimits | undefined> {
    const now = performance.now();
    if (now - this.#readAt < LIMITS_AGE_MS) return this.#limits;
    this.#readAt = now;
    const { client, keys } = this.#options;
    const known = this.#limits;
    this.#limits = client
      .hmget(keys.meta, ...GROUP_LIMIT_FIELDS)
      .then((values) => {
        const limits = readGroupLimits(values);
        if (limits && limits.concurrency !== null) this.#wasBoundedAt = performance.now();
        return limits;
      })
      .catch(() => known);
    return this.#limits;
  }
}
