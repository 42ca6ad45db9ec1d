/** This file owns the metrics of attempts, the same for jobs run by workers and jobs leased over HTTP. */
import { type Counter, type Histogram, LATENCY_BUCKETS_SECONDS, type Metrics } from '@sluice/runtime';
import type { LeaseWatch } from './lease-watch.ts';

/** Jobs run, and wait, longer than requests. */
const BUCKETS_SECONDS = [...LATENCY_BUCKETS_SECONDS, 60, 300, 1_800, 7_200];
/** Label `processor` of whatever runs outside: names come from clients. */
const LEASED = 'leased';
/** Whoever may lease may name queues: those beyond are told together, as `other`. */
const MAX_QUEUES = 500;
const OTHER = 'other';
const MAX_KEPT = 20_000;

/** Labels are a queue's name, the name of a known job, and codes of closed lists. Not `job`: Prometheus has one of its own. */
export class AttemptMetrics implements LeaseWatch {
  readonly #attempts: Counter<'queue' | 'processor' | 'outcome' | 'code'>;
  readonly #durations: Histogram<'queue' | 'processor'>;
  readonly #waits: Histogram<'queue'>;
  // prom-client finds a label set by hashing it; the few sets there are, are kept.
  readonly #kept = new Map<string, unknown>();
  readonly #queues = new Set<string>();

  constructor(metrics: Metrics) {
    this.#attempts = metrics.counter('sluice_job_attempts_total', 'Ended attempts by outcome', [
      'queue',
      'processor',
      'outcome',
      'code',
    ]);
    this.#durations = metrics.histogram(
      'sluice_job_attempt_duration_seconds',
      'Time of an attempt',
      ['queue', 'processor'],
      BUCKETS_SECONDS,
    );
    this.#waits = metrics.histogram(
      'sluice_job_wait_seconds',
      'From when a job was due to its first start',
      ['queue'],
      BUCKETS_SECONDS,
    );
  }

  /** `outcome` and `code` as the decision says them. */
  ended(queue: string, outcome: string, code: string, processor: string = LEASED): void {
    this.#keep(`a\n${queue}\n${processor}\n${outcome}\n${code}`, () =>
      this.#attempts.labels(this.#told(queue), processor, outcome, code),
    ).inc();
  }

  ran(queue: string, processor: string, durationMs: number): void {
    this.#keep(`d\n${queue}\n${processor}`, () =>
      this.#durations.labels(this.#told(queue), processor),
    ).observe(durationMs / 1_000);
  }

  waited(queue: string, waitMs: number): void {
    this.#keep(`w\n${queue}`, () => this.#waits.labels(this.#told(queue))).observe(waitMs / 1_000);
  }

  #told(queue: string): string {
    if (this.#queues.size < MAX_QUEUES) this.#queues.add(queue);
    return this.#queues.has(queue) ? queue : OTHER;
  }

  #keep<T>(key: string, make: () => T): T {
    let found = this.#kept.get(key) as T | undefined;
    if (found === undefined) {
      found = make();
      if (this.#kept.size < MAX_KEPT) this.#kept.set(key, found);
    }
    return found;
  }
}
