/**
 * This file owns looking after alerts: one process at a time looks, compares, sends and writes down. A message is a job
 * with an idempotency key made of the alert, its subject, when it began and how many went before it: whoever sends it
 * again, after a crash or since two thought it was their turn, sends the same job.
 */
import type { Deliveries } from '@sluice/delivery';
import { DELIVERY_QUEUE } from '@sluice/delivery';
import type { EnqueuedJob, Jobs } from '@sluice/jobs';
import { DomainError, type Log, within } from '@sluice/runtime';
import {
  type Alert,
  type AlertState,
  type AlertStates,
  builtInAlerts,
  type Registry,
  recordedAlerts,
  standKey,
} from '@sluice/system';
import type { ConnectionReport } from '../metrics/redis-metrics.ts';
import { type Counts, counted, countsOf, type Look } from './look.ts';
import { messageBody } from './message.ts';
import { type Finding, findingsOf } from './rules.ts';
import { type Message, step, toldOf } from './step.ts';

const ASK_TIMEOUT_MS = 1_000;

export interface AlertWatchOptions {
  registry: Registry;
  states: AlertStates;
  jobs: Pick<Jobs, 'queues' | 'enqueue'>;
  deliveries: Pick<Deliveries, 'jobs'>;
  reports: () => Promise<ConnectionReport[]>;
  /** For how long a process that looked is the one that looks. */
  leaseMs: number;
  log: Log;
}

export class AlertWatch {
  readonly #options: AlertWatchOptions;
  readonly #recorded = recordedAlerts();

  constructor(options: AlertWatchOptions) {
    this.#options = options;
  }

  /** One look. False when another process looks. Rejects as ioredis does: what was not written is done by the next. */
  async look(): Promise<boolean> {
    const { registry, states, leaseMs } = this.#options;
    if (!registry.isLoaded) return false;
    const stand = await states.claim(leaseMs);
    if (!stand) return false;
    const look = await this.#lookAround(stand.nowMs);
    const counts = counted(countsOf(stand.counts), look);
    const changed = new Map<string, AlertState | undefined>();
    const alerts = this.alerts().filter((alert) => alert.is_active);
    for (const alert of alerts) {
      for (const finding of withGone(alert, look, counts, stand.states)) {
        const key = standKey(alert.name, finding.subject);
        const before = stand.states.get(key);
        const next = await this.#advance(alert, finding, before, stand.nowMs);
        if (before !== undefined || next !== undefined) changed.set(key, next);
      }
    }
    const names = new Set(alerts.map(({ name }) => name));
    for (const key of stand.states.keys()) {
      if (!names.has(key.slice(0, key.indexOf('|')))) changed.set(key, undefined);
    }
    await states.write(changed, counts);
    return true;
  }

  /** Lets another process look from now on. */
  async release(): Promise<void> {
    await this.#options.states.release();
  }

  /** Those made here, and those built in whose names nobody has taken. */
  alerts(): Alert[] {
    const made = this.#options.registry.list('alert').flatMap(({ body }) => {
      const read = this.#recorded.read(body);
      // A later version may have stored what this one does not know.
      return 'issues' in read ? [] : [read.body];
    });
    const names = new Set(made.map(({ name }) => name));
    return [...builtInAlerts().filter(({ name }) => !names.has(name)), ...made];
  }

  /** Sends its receiver a message that nothing is wrong. Codes: `endpoint_not_found`, `endpoint_gone`, `delivery_invalid`. */
  async test(alert: Alert): Promise<EnqueuedJob> {
    const now = Date.now();
    return await this.#deliver(
      alert,
      messageBody(alert, 'test', { subject: '*', value: 0, sinceMs: now, nowMs: now }),
    );
  }

  async #lookAround(nowMs: number): Promise<Look> {
    const { jobs, reports } = this.#options;
    const [queues, connections] = await Promise.all([
      within(jobs.queues(), ASK_TIMEOUT_MS).catch(() => undefined),
      reports(),
    ]);
    return { nowMs, queues, reports: connections };
  }

  async #advance(
    alert: Alert,
    finding: Finding,
    before: AlertState | undefined,
    nowMs: number,
  ): Promise<AlertState | undefined> {
    const { next, message } = step(alert, { before, finding, nowMs });
    if (!next || !message) return next;
    const isSent = await this.#send(alert, finding, next, message, nowMs);
    // Nobody is there to be told that it is over.
    return isSent || message === 'resolved' ? toldOf(next, message, nowMs) : next;
  }

  async #send(
    alert: Alert,
    { subject, value }: Finding,
    { sinceMs, messages }: AlertState,
    message: Message,
    nowMs: number,
  ): Promise<boolean> {
    const { log } = this.#options;
    const { name, endpoint } = alert;
    try {
      const key = `alert:${name}:${subject}:${sinceMs}:${messages}`;
      await this.#deliver(alert, messageBody(alert, message, { subject, value, sinceMs, nowMs }), key);
      log.warn({ alert: name, subject, value, message }, 'alert told');
      return true;
    } catch (error) {
      if (!(error instanceof DomainError)) throw error;
      // Told before, in other words, by a process that could not write it down.
      if (error.code === 'idempotency_mismatch') return true;
      log.warn(
        { alert: name, subject, value, message, endpoint, reason: error.code },
        'alert reaches nobody',
      );
      return false;
    }
  }

  async #deliver(alert: Alert, body: unknown, key?: string): Promise<EnqueuedJob> {
    const { deliveries, jobs } = this.#options;
    const [job] = await deliveries.jobs([
      { endpoint: alert.endpoint, body, ...(key !== undefined && { idempotency_key: key }) },
    ]);
    if (job === undefined) throw new TypeError('a delivery left no job');
    if (job instanceof DomainError) throw job;
    return await jobs.enqueue(DELIVERY_QUEUE, job);
  }
}

/** What is found, and of subjects that are no more: it is over with them. What Redis did not tell is not among it. */
function withGone(
  alert: Alert,
  look: Look,
  counts: Counts,
  states: ReadonlyMap<string, AlertState>,
): Finding[] {
  const found = findingsOf(alert, look, counts);
  const there = new Set([
    ...found.map(({ subject }) => subject),
    ...(look.queues?.map(({ name }) => name) ?? []),
    ...look.reports.map(({ connection }) => connection),
  ]);
  if (!look.queues) return found;
  const gone = [...states.keys()]
    .filter((key) => key.startsWith(`${alert.name}|`))
    .map((key) => key.slice(alert.name.length + 1))
    .filter((subject) => !there.has(subject));
  return [...found, ...gone.map((subject) => ({ subject, value: 0, isBad: false }))];
}
