/** This file owns the targets of queues: where the worker sends each job of a queue instead of running it. */
import type { Keyspace } from '@sluice/config';
import type { RedisClient } from '@sluice/redis';
import { DomainError } from '@sluice/runtime';
import { type CallbackRequest, callbackOf, endpointOf, namesOf, usable } from './deliveries.ts';
import { destinationOf } from './destination.ts';
import type { Endpoints } from './endpoints.ts';
import { deliveryKeys } from './keys.ts';
import { Records } from './records.ts';
import { readSchedule } from './schedule.ts';
import {
  DEFAULT_JITTER,
  DEFAULT_SCHEDULE_MS,
  DEFAULT_TIMEOUT_MS,
  type DeliveryErrorCode,
  type TargetSettings,
} from './schemas.ts';

/** Their names are asked for by every worker, twice a second. */
const MAX_TARGETS = 1_000;

/** Everything that sending needs, so that a job needs no more than this and its endpoint. */
export interface Target {
  /** `null`: its endpoint's. */
  url: string | null;
  method: string;
  headers: Record<string, string>;
  /** `null`: not signed. */
  endpoint: string | null;
  /** Milliseconds before each attempt; the first does not count, since a job has its own delay. */
  schedule: number[];
  jitter: number;
  timeout: number;
  callback: CallbackRequest | null;
  failure_callback: CallbackRequest | null;
  /** Epoch milliseconds. */
  updatedAt: number;
}

export class Targets {
  readonly #records: Records<Target>;
  readonly #endpoints: Endpoints;

  constructor(options: { client: RedisClient; keys: Keyspace; endpoints: Endpoints }) {
    this.#records = new Records({
      client: options.client,
      key: deliveryKeys(options.keys).targets,
      max: MAX_TARGETS,
      fullCode: 'targets_full',
    });
    this.#endpoints = options.endpoints;
  }

  /** Codes: `delivery_invalid`, `endpoint_not_found`, `endpoint_gone`, `targets_full`, `delivery_conflict`. */
  async put(queue: string, settings: TargetSettings): Promise<Target> {
    const plans = await this.#endpoints.plans([...new Set(namesOf(settings))]);
    const endpoint = endpointOf(settings);
    const plan = endpoint === null ? undefined : usable(endpoint, plans);
    const url = settings.url ?? null;
    destinationOf(url, plan?.url ?? null);
    const target: Target = {
      url,
      method: settings.method ?? 'POST',
      headers: settings.headers ?? {},
      endpoint,
      schedule: settings.schedule
        ? readSchedule(settings.schedule)
        : (plan?.schedule ?? [...DEFAULT_SCHEDULE_MS]),
      jitter: settings.jitter ?? plan?.jitter ?? DEFAULT_JITTER,
      timeout: settings.timeout ?? plan?.timeoutMs ?? DEFAULT_TIMEOUT_MS,
      callback: callbackOf(settings.callback, plans),
      failure_callback: callbackOf(settings.failure_callback, plans),
      updatedAt: Date.now(),
    };
    await this.#records.change(queue, () => target);
    return target;
  }

  /** `undefined` when its jobs are run, not sent. */
  find(queue: string): Promise<Target | undefined> {
    return this.#records.get(queue);
  }

  /** Code `target_not_found`. */
  async get(queue: string): Promise<Target> {
    const target = await this.find(queue);
    if (!target) throw notFound(queue);
    return target;
  }

  /** Queues with a target, sorted. */
  queues(): Promise<string[]> {
    return this.#records.names();
  }

  /** Code `target_not_found`. */
  async remove(queue: string): Promise<void> {
    await this.#records.change(queue, (before) => {
      if (!before) throw notFound(queue);
      return undefined;
    });
  }
}

function notFound(queue: string): DomainError<DeliveryErrorCode> {
  return new DomainError('target_not_found', `queue '${queue}' has no target`);
}
