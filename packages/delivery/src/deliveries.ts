/** This file owns how a delivery that is asked for becomes a job: checked against its endpoint, complete, and proven ours. */
import { createHmac, timingSafeEqual } from 'node:crypto';
import { DomainError, deriveSecret, JsonText } from '@sluice/runtime';
import { destinationOf } from './destination.ts';
import type { EndpointPlan, Endpoints } from './endpoints.ts';
import { readSchedule } from './schedule.ts';
import {
  type Callback,
  DEFAULT_ENDPOINT,
  DEFAULT_JITTER,
  DEFAULT_SCHEDULE_MS,
  DEFAULT_TIMEOUT_MS,
  DELIVERY_JOB,
  type DeliveryErrorCode,
  type NewDelivery,
} from './schemas.ts';

/** Between attempts that failed in the worker itself, Redis or its secret being away. */
const OWN_FAULT_WAIT_MS = 5_000;

/** The data of a delivery's job: all that is sent but what its endpoint adds when it is. */
export interface DeliveryRequest {
  /** `null`: its endpoint's. */
  url: string | null;
  method: string;
  headers: Record<string, string>;
  /** As it is sent; `null` for none. */
  body: string | null;
  /** `null`: not signed. */
  endpoint: string | null;
  /** Milliseconds before each attempt. */
  schedule: number[];
  jitter: number;
  timeout: number;
  callback: CallbackRequest | null;
  failure_callback: CallbackRequest | null;
}

export interface CallbackRequest {
  url: string;
  headers: Record<string, string>;
  endpoint: string;
}

export interface DeliveryJob {
  name: string;
  data: DeliveryRequest & { proof: string };
  opts: {
    attempts: number;
    backoff: { type: 'fixed'; delay: number };
    delay?: number;
    run_at?: string;
    ttl?: number;
    expires_at?: string;
    priority?: number;
    group?: string;
  };
  idempotencyKey: string | undefined;
}

export class Deliveries {
  readonly #endpoints: Endpoints;
  readonly #proofKey: Buffer;

  constructor(options: { endpoints: Endpoints; master: Buffer }) {
    this.#endpoints = options.endpoints;
    this.#proofKey = deriveSecret(options.master, 'delivery jobs');
  }

  /** One job for each, or why there is none: codes `delivery_invalid`, `endpoint_not_found`, `endpoint_gone`. */
  async jobs(deliveries: readonly NewDelivery[]): Promise<(DeliveryJob | DomainError<DeliveryErrorCode>)[]> {
    const names = new Set(deliveries.flatMap(namesOf));
    const plans = await this.#endpoints.plans([...names]);
    return deliveries.map((delivery) => {
      try {
        return this.#job(delivery, plans);
      } catch (error) {
        if (error instanceof DomainError) return error as DomainError<DeliveryErrorCode>;
        throw error;
      }
    });
  }

  /** True for the data of a job that `jobs` has made here. Others may fill the queue, and would have anything signed. */
  isProven(data: unknown): data is DeliveryRequest {
    const { proof, ...request } = data as Partial<DeliveryJob['data']>;
    const wanted = Buffer.from(this.#prove(request));
    const given = Buffer.from(String(proof));
    return given.length === wanted.length && timingSafeEqual(given, wanted);
  }

  #job(delivery: NewDelivery, plans: ReadonlyMap<string, EndpointPlan>): DeliveryJob {
    const endpoint = endpointOf(delivery);
    const plan = endpoint === null ? undefined : usable(endpoint, plans);
    const url = delivery.url ?? null;
    destinationOf(url, plan?.url ?? null);
    const request: DeliveryRequest = {
      url,
      method: delivery.method ?? 'POST',
      ...content(delivery),
      endpoint,
      schedule: delivery.schedule
        ? readSchedule(delivery.schedule)
        : (plan?.schedule ?? [...DEFAULT_SCHEDULE_MS]),
      jitter: delivery.jitter ?? plan?.jitter ?? DEFAULT_JITTER,
      timeout: delivery.timeout ?? plan?.timeoutMs ?? DEFAULT_TIMEOUT_MS,
      callback: callbackOf(delivery.callback, plans),
      failure_callback: callbackOf(delivery.failure_callback, plans),
    };
    return {
      name: DELIVERY_JOB,
      data: { ...request, proof: this.#prove(request) },
      opts: {
        attempts: request.schedule.length,
        backoff: { type: 'fixed', delay: OWN_FAULT_WAIT_MS },
        ...timing(delivery, request.schedule[0] ?? 0),
      },
      idempotencyKey: delivery.idempotency_key,
    };
  }

  #prove(request: unknown): string {
    return createHmac('sha256', this.#proofKey).update(JSON.stringify(request)).digest('base64url');
  }
}

/** Throws `endpoint_not_found` and `endpoint_gone`. */
export function usable(name: string, plans: ReadonlyMap<string, EndpointPlan>): EndpointPlan {
  const plan = plans.get(name);
  if (!plan) throw new DomainError<DeliveryErrorCode>('endpoint_not_found', `there is no endpoint '${name}'`);
  if (plan.goneAt !== null) {
    throw new DomainError<DeliveryErrorCode>(
      'endpoint_gone',
      `the receiver of endpoint '${name}' has said 410 Gone; write the endpoint again to use it again`,
    );
  }
  return plan;
}

type Sending = Pick<NewDelivery, 'endpoint' | 'sign' | 'callback' | 'failure_callback'>;

/** Names of all endpoints that take part. */
export function namesOf(sending: Sending): string[] {
  const endpoint = endpointOf(sending);
  const callbacks = [sending.callback, sending.failure_callback].flatMap((callback) =>
    callback === undefined ? [] : [readCallback(callback).endpoint],
  );
  return endpoint === null ? callbacks : [endpoint, ...callbacks];
}

/** `null` when it is not to be signed. */
export function endpointOf({ endpoint, sign }: Sending): string | null {
  return sign === false ? null : (endpoint ?? DEFAULT_ENDPOINT);
}

/** Throws what `usable` throws, and `delivery_invalid` when it cannot go there. */
export function callbackOf(
  callback: Callback | undefined,
  plans: ReadonlyMap<string, EndpointPlan>,
): CallbackRequest | null {
  if (callback === undefined) return null;
  const request = readCallback(callback);
  destinationOf(request.url, usable(request.endpoint, plans).url);
  return request;
}

function readCallback(callback: Callback): CallbackRequest {
  const {
    url,
    headers = {},
    endpoint = DEFAULT_ENDPOINT,
  } = typeof callback === 'string' ? { url: callback } : callback;
  return { url, headers, endpoint };
}

/** What is sent, to the byte: the signature is made of it. */
function content({ body, headers = {} }: NewDelivery): Pick<DeliveryRequest, 'headers' | 'body'> {
  if (body === undefined) return { headers, body: null };
  const text = body instanceof JsonText ? body.text : JSON.stringify(body);
  const value: unknown = text.startsWith('"') ? JSON.parse(text) : undefined;
  const [type, sent] =
    typeof value === 'string' ? ['text/plain; charset=utf-8', value] : ['application/json', text];
  const hasType = Object.keys(headers).some((name) => name.toLowerCase() === 'content-type');
  return { headers: hasType ? headers : { ...headers, 'content-type': type }, body: sent };
}

/** The first wait of the schedule counts from when the delivery is due. */
function timing(delivery: NewDelivery, firstWaitMs: number): Partial<DeliveryJob['opts']> {
  const { delay, run_at, ttl, expires_at, priority, group } = delivery;
  const runAt = run_at === undefined ? undefined : new Date(Date.parse(run_at) + firstWaitMs).toISOString();
  const delayMs = (delay ?? 0) + firstWaitMs;
  return {
    ...(runAt === undefined ? delayMs > 0 && { delay: delayMs } : { run_at: runAt }),
    ...(ttl !== undefined && { ttl }),
    ...(expires_at !== undefined && { expires_at }),
    ...(priority !== undefined && { priority }),
    ...(group !== undefined && { group }),
  };
}
