/**
 * This file owns one attempt to deliver: a place at the host, the endpoint's secrets, the request, what its answer means.
 *
 *   endpoint -> place at the host -> signature -> request -> delivered
 *                  | none free, host down                 -> failed: the next wait of the schedule, or the end
 *                  v
 *               postponed: the job waits without a worker, and no attempt is counted
 */
import { randomUUID } from 'node:crypto';
import {
  type Contact,
  DEFAULT_CONCURRENCY,
  destinationOf,
  type Endpoints,
  type Hosts,
  isAnsweredByHost,
  judgeStatus,
  nextWaitMs,
  readRetryAfter,
  type SendingEndpoint,
  signatureHeaders,
} from '@sluice/delivery';
import { fatal, postpone, retryAfter } from '@sluice/jobs';
import { DomainError } from '@sluice/runtime';
import type { Answer, EgressGuard, OutgoingRequest } from '../egress/guard.ts';
import { plainHost, portOf } from '../egress/policy.ts';
import { keptAnswer, MAX_BODY_BYTES } from '../processors/kept-answer.ts';
import { headerOf } from '../processors/outgoing.ts';
import { Anteroom } from './anteroom.ts';
import { type AttemptRecord, type DeliveryResult, FailedAttempt } from './attempt-record.ts';

/** What an attempt needs of its job. */
export interface CourierContext {
  readonly attempt: number;
  readonly signal: AbortSignal;
  readonly log: (line: string) => Promise<void>;
}

export interface Parcel {
  /** `webhook-id`: the same at each attempt. */
  id: string;
  /** `null`: its endpoint's. */
  url: string | null;
  method: string;
  headers: Readonly<Record<string, string>>;
  body: string | null;
  /** `null`: not signed. */
  endpoint: string | null;
  schedule: readonly number[];
  jitter: number;
  /** Milliseconds. */
  timeout: number;
}

/** Beyond a request's own time: for its place to be given back by its holder. */
const PLACE_SLACK_MS = 3_000;
/** Deliveries wait for a host that is down without spending attempts, but not for ever. */
const MAX_HELD_MS = 86_400_000;
/** Of each attempt but the last, so that a job with many stays small. */
const MAX_EARLIER_BODY_BYTES = 1_024;
const USER_AGENT = 'Sluice';

interface Contacted {
  answer: Answer | undefined;
  error: string | undefined;
  tookMs: number;
}

export class Courier {
  readonly #egress: EgressGuard;
  readonly #endpoints: Endpoints;
  readonly #hosts: Hosts;
  readonly #anteroom = new Anteroom();

  constructor(options: { egress: EgressGuard; endpoints: Endpoints; hosts: Hosts }) {
    this.#egress = options.egress;
    this.#endpoints = options.endpoints;
    this.#hosts = options.hosts;
  }

  /** Resolves when it is delivered; throws what a processor throws: `fatal`, `retryAfter`, `postpone`. */
  async send(parcel: Parcel, ctx: CourierContext): Promise<DeliveryResult> {
    const endpoint = await this.#endpoint(parcel, ctx);
    const url = destination(parcel, endpoint);
    const host = hostOf(url);
    const lease = randomUUID();
    const terms = {
      lease,
      limit: endpoint?.concurrency ?? DEFAULT_CONCURRENCY,
      leaseMs: parcel.timeout + PLACE_SLACK_MS,
    };
    let place = await this.#hosts.take(host, terms);
    if (place.kind === 'busy' && (await this.#anteroom.wait(host)) && !ctx.signal.aborted)
      place = await this.#hosts.take(host, terms);
    if (place.kind === 'busy')
      throw postpone(place.waitMs, `as many requests to ${host} are under way as may be`);
    if (place.kind === 'down') {
      const why = `${host} has not answered for ${Math.round(place.downForMs / 1_000)} s`;
      if (place.downForMs < MAX_HELD_MS) throw postpone(place.waitMs, why);
      return await this.#fail(parcel, ctx, { answer: undefined, error: why, tookMs: 0 });
    }
    const contacted = await this.#contact({ host, lease }, request(parcel, url, endpoint, ctx));
    const { answer } = contacted;
    if (!answer || judgeStatus(answer.status) !== 'delivered') {
      if (answer && judgeStatus(answer.status) === 'gone') await this.#close(parcel, url, endpoint);
      return await this.#fail(parcel, ctx, contacted);
    }
    const record = recordOf(ctx.attempt, contacted, MAX_BODY_BYTES);
    await ctx.log(JSON.stringify({ ...record, response: undefined }));
    return {
      status: answer.status,
      duration_ms: record.duration_ms,
      ...keptAnswer(answer),
    };
  }

  async #endpoint(parcel: Parcel, ctx: CourierContext): Promise<SendingEndpoint | undefined> {
    const { endpoint: name } = parcel;
    if (name === null) return undefined;
    let endpoint: SendingEndpoint | undefined;
    try {
      endpoint = await this.#endpoints.forSending(name);
    } catch (error) {
      if (!(error instanceof TypeError)) throw error;
      // This worker has another master secret than the others: one of those, or this one once mended, may do it.
      return await this.#fail(parcel, ctx, { answer: undefined, error: error.message, tookMs: 0 });
    }
    if (!endpoint) throw fatal(`there is no endpoint '${name}' any more`);
    if (endpoint.goneAt !== null) throw fatal(`the receiver of endpoint '${name}' has said 410 Gone`);
    return endpoint;
  }

  /** Sends it, and gives the place back with what came of it. */
  async #contact(
    { host, lease }: { host: string; lease: string },
    outgoing: OutgoingRequest,
  ): Promise<Contacted> {
    const startedAt = performance.now();
    let contact: Contact = 'unknown';
    try {
      const answer = await this.#egress.request(outgoing);
      contact = isAnsweredByHost(answer.status) ? 'answered' : 'silent';
      return { answer, error: undefined, tookMs: performance.now() - startedAt };
    } catch (error) {
      if (!(error instanceof DomainError)) throw error;
      if (error.code === 'egress_refused') throw fatal(error.message, { cause: error });
      if (error.code !== 'egress_failed') throw error;
      contact = 'silent';
      return { answer: undefined, error: error.message, tookMs: performance.now() - startedAt };
    } finally {
      await this.#hosts.leave(host, { lease, contact, tookMs: performance.now() - startedAt });
      this.#anteroom.leave(host, { isAnswered: contact === 'answered' });
    }
  }

  /** Notes the attempt, and throws what asks for the next one or ends the delivery. */
  async #fail(parcel: Parcel, ctx: CourierContext, contacted: Contacted): Promise<never> {
    const { answer } = contacted;
    const verdict = answer ? judgeStatus(answer.status) : 'retry';
    const waitMs =
      verdict === 'retry'
        ? nextWaitMs({
            schedule: parcel.schedule,
            jitter: parcel.jitter,
            attempt: ctx.attempt,
            retryAfterMs: answer && readRetryAfter(headerOf(answer, 'retry-after')),
          })
        : undefined;
    const isLast = waitMs === undefined;
    const record = recordOf(ctx.attempt, contacted, isLast ? MAX_BODY_BYTES : MAX_EARLIER_BODY_BYTES);
    await ctx.log(JSON.stringify(isLast ? record : { ...record, next_in_ms: waitMs }));
    const message = record.error ?? 'failed';
    const cause = new FailedAttempt(record);
    if (verdict !== 'retry') throw fatal(message, { cause });
    throw retryAfter(waitMs ?? 0, message, { maxAttempts: parcel.schedule.length, cause });
  }

  /** Only an endpoint with a URL is one receiver, which alone can be gone. */
  async #close(parcel: Parcel, url: string, endpoint: SendingEndpoint | undefined): Promise<void> {
    if (parcel.endpoint !== null && endpoint && endpoint.url === url)
      await this.#endpoints.markGone(parcel.endpoint, url);
  }
}

/** With its port: what answers at another one is another. */
function hostOf(text: string): string {
  const url = new URL(text);
  return `${plainHost(url.hostname)}:${portOf(url)}`;
}

function destination({ url }: Parcel, endpoint: SendingEndpoint | undefined): string {
  try {
    return destinationOf(url, endpoint?.url ?? null);
  } catch (error) {
    throw fatal((error as Error).message, { cause: error });
  }
}

/** The delivery's headers go before the endpoint's; the signature's before both. */
function request(
  { id, method, headers, body, timeout }: Parcel,
  url: string,
  endpoint: SendingEndpoint | undefined,
  { attempt, signal }: CourierContext,
): OutgoingRequest {
  return {
    method: method as OutgoingRequest['method'],
    url,
    headers: {
      'user-agent': USER_AGENT,
      ...lowerCased(endpoint?.headers ?? {}),
      ...lowerCased(headers),
      'sluice-attempt': String(attempt),
      ...signatureHeaders({
        id,
        timestamp: Math.floor(Date.now() / 1_000),
        body: body ?? '',
        secrets: endpoint?.secrets ?? [],
      }),
    },
    body: body ?? undefined,
    timeoutMs: timeout,
    maxBodyBytes: MAX_BODY_BYTES,
    signal,
  };
}

function recordOf(
  attempt: number,
  { answer, error, tookMs }: Contacted,
  maxBodyBytes: number,
): AttemptRecord {
  const isDelivered = answer !== undefined && judgeStatus(answer.status) === 'delivered';
  return {
    attempt,
    at: new Date(Date.now() - tookMs).toISOString(),
    status: answer?.status ?? null,
    duration_ms: Math.round(tookMs),
    error: isDelivered ? null : (error ?? `answered ${answer?.status}`),
    response: answer ? keptAnswer(answer, maxBodyBytes) : null,
  };
}

function lowerCased(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
}
