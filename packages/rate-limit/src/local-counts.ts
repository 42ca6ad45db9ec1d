/**
 * This file owns the counts a process keeps for itself while Redis is away (`away: 'memory'`): its share of each limit,
 * as a bucket that drains evenly. The shares of all processes together are the limit; nothing is carried over to Redis.
 */
import type { Clock } from '@sluice/runtime';
import type { Check, Figures } from './steps.ts';

/** Keys counted at once; the one used longest ago is forgotten first and begins anew. */
const MAX_KEYS = 10_000;

interface Bucket {
  /** Units charged and not drained yet. */
  level: number;
  atMs: number;
}

export class LocalCounts {
  readonly #clock: Clock;
  readonly #instances: number;
  readonly #buckets = new Map<string, Bucket>();
  /** Per state key: lease ids by the time they end. */
  readonly #leases = new Map<string, Map<string, { endsAtMs: number; cost: number }>>();

  /** `instances` share each limit. */
  constructor(options: { clock: Clock; instances: number }) {
    this.#clock = options.clock;
    this.#instances = options.instances;
  }

  /** What a charge would find. Charges nothing. */
  look({ rule, state, cost }: Check): Figures {
    const capacity = this.#share(rule.capacity);
    if (rule.algorithm === 'concurrency') {
      const leases = this.#leasesOf(state);
      const ends = [...leases.values()]
        .map(({ endsAtMs }) => endsAtMs - this.#clock.monotonicMs())
        .sort((a, b) => a - b);
      const held = [...leases.values()].reduce((sum, lease) => sum + lease.cost, 0);
      const [first = 0] = ends;
      const last = ends.at(-1) ?? 0;
      const left = Math.max(capacity - held, 0);
      return {
        remaining: left,
        retry: retryAfter(cost, capacity, left, last),
        next: ceil(first),
        reset: ceil(last),
      };
    }
    const drainPerMs = this.#drainPerMs(rule.limit, rule.periodMs);
    const { level } = this.#bucketOf(state, drainPerMs);
    const remaining = Math.max(Math.floor(capacity - level), 0);
    const over = level + cost - capacity;
    return {
      remaining,
      retry: retryAfter(cost, capacity, capacity - level, over / drainPerMs),
      next: level > 0 ? ceil((level - capacity + remaining + 1) / drainPerMs) : 0,
      reset: ceil(level / drainPerMs),
    };
  }

  /** Charges, whatever `look` says. `extra` is the lease of a concurrency check. */
  add({ rule, state, cost, extra }: Check): void {
    if (rule.algorithm === 'concurrency') {
      const leases = this.#leasesOf(state);
      leases.set(extra, { endsAtMs: this.#clock.monotonicMs() + (rule.leaseMs ?? 0), cost });
      keep(this.#leases, state, leases);
      return;
    }
    const bucket = this.#bucketOf(state, this.#drainPerMs(rule.limit, rule.periodMs));
    bucket.level += cost;
    keep(this.#buckets, state, bucket);
  }

  /** Takes a charge back. */
  refund({ rule, state, cost, extra }: Check): void {
    if (rule.algorithm === 'concurrency') {
      this.#leases.get(state)?.delete(extra);
      return;
    }
    const bucket = this.#buckets.get(state);
    if (bucket) bucket.level = Math.max(bucket.level - cost, 0);
  }

  #share(limit: number): number {
    return limit === 0 ? 0 : Math.max(Math.floor(limit / this.#instances), 1);
  }

  #drainPerMs(limit: number, periodMs: number | null): number {
    return limit / this.#instances / (periodMs ?? 1);
  }

  #bucketOf(state: string, drainPerMs: number): Bucket {
    const nowMs = this.#clock.monotonicMs();
    const bucket = this.#buckets.get(state) ?? { level: 0, atMs: nowMs };
    bucket.level = Math.max(bucket.level - (nowMs - bucket.atMs) * drainPerMs, 0);
    bucket.atMs = nowMs;
    return bucket;
  }

  #leasesOf(state: string): Map<string, { endsAtMs: number; cost: number }> {
    const leases = this.#leases.get(state) ?? new Map();
    for (const [lease, { endsAtMs }] of leases)
      if (endsAtMs <= this.#clock.monotonicMs()) leases.delete(lease);
    return leases;
  }
}

function retryAfter(cost: number, capacity: number, left: number, waitMs: number): number {
  if (cost > capacity) return -1;
  return cost > left ? Math.max(ceil(waitMs), 1) : 0;
}

/** Whole milliseconds, never early; a hair of rounding is no millisecond. */
function ceil(ms: number): number {
  return Math.ceil(ms - 1e-6);
}

/** Stores as the newest of a bounded map. */
function keep<V>(map: Map<string, V>, key: string, value: V): void {
  map.delete(key);
  if (map.size >= MAX_KEYS) {
    for (const oldest of map.keys()) {
      map.delete(oldest);
      break;
    }
  }
  map.set(key, value);
}
