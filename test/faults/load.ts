/**
 * This file owns the load: jobs at a given pace whatever the answers say (open loop), single, in batches and delayed,
 * tried again under their idempotency keys until somebody says how it went.
 */
import type { Answer, Door } from './door.ts';
import { type Kind, SHAPES, USUAL_MIX } from './kinds.ts';
import type { Class, Entry, Ledger } from './ledger.ts';
import { between, type Random, sleep, sleepUntil } from './random.ts';

export interface LoadOptions {
  door: Door;
  ledger: Ledger;
  random: Random;
  queues: readonly string[];
  sinkUrl: string;
  jobsPerSecond: number;
  /** Shares of requests, not of jobs. Default `USUAL_MIX`. */
  mix?: Readonly<Record<Kind, number>> | undefined;
  /** Of delayed jobs. Default 2 s. */
  maxDelayMs?: number | undefined;
  /** Number of the first job, where others came before. Default 0. */
  firstJob?: number | undefined;
  /** How long a job takes. Default 0. */
  workMs?: number | undefined;
}

/** Callers that wait at the same time; above it, requests are not sent and counted. */
const MAX_CALLS = 2_000;
const RETRY_MS: readonly [number, number] = [200, 1_000];
/** A caller that tries again gives up then. */
const PERSISTENCE_MS = 120_000;

interface Told {
  class: Class;
  id?: string | undefined;
}

export class Load {
  /** Requests that were not sent because too many were waiting. */
  unsent = 0;
  /** Milliseconds of each answer, of every try. */
  readonly answersMs: number[] = [];
  /** Answers by status, or by the code of the error that came instead. */
  readonly answers: Record<string, number> = {};
  readonly #options: LoadOptions;
  readonly #mix: [Kind, number][];
  readonly #calls = new Set<Promise<void>>();
  #made: number;
  #stopping = false;
  #isAbandoned = false;
  #pacing: Promise<void> | undefined;

  constructor(options: LoadOptions) {
    this.#options = options;
    this.#made = options.firstJob ?? 0;
    this.#mix = Object.entries(options.mix ?? USUAL_MIX) as [Kind, number][];
  }

  get jobsMade(): number {
    return this.#made;
  }

  start(): void {
    this.#pacing = this.#pace();
  }

  /** Nothing more is sent or written down: the run has ended, or could not be carried out. */
  abandon(): void {
    this.#stopping = true;
    this.#isAbandoned = true;
  }

  /** No more new jobs. */
  pause(): void {
    this.#stopping = true;
  }

  /** No more new jobs; resolves when every caller knows how his went, or has given up. */
  async stop(): Promise<void> {
    this.#stopping = true;
    await this.#pacing;
    await Promise.all(this.#calls);
    await this.#options.ledger.flush();
  }

  async #pace(): Promise<void> {
    const { jobsPerSecond, random } = this.#options;
    const begun = Date.now() - ((this.#options.firstJob ?? 0) / jobsPerSecond) * 1_000;
    while (!this.#stopping) {
      await sleepUntil(begun + (this.#made / jobsPerSecond) * 1_000);
      const kind = pick(this.#mix, random());
      const count = SHAPES[kind].jobs;
      if (this.#calls.size >= MAX_CALLS) {
        this.unsent += 1;
        this.#made += count;
        continue;
      }
      const call = this.#enqueue(kind);
      this.#calls.add(call);
      void call.finally(() => this.#calls.delete(call));
    }
  }

  async #enqueue(kind: Kind): Promise<void> {
    const { random, queues, ledger, sinkUrl, workMs = 0, maxDelayMs = 2_000 } = this.#options;
    const shape = SHAPES[kind];
    const count = shape.jobs;
    const first = this.#made;
    this.#made += count;
    const queue = shape.queue ?? (queues[first % queues.length] as string);
    const path = shape.path ?? `/queues/${queue}/jobs`;
    const delayMs = kind === 'delayed' ? Math.round(between(random, 100, maxDelayMs)) : 0;
    const keys = Array.from({ length: count }, (_, index) => `e-${first + index}`);
    const items = keys.map((key) => ({
      ...shape.item({ key, sinkUrl, delayMs, workMs }),
      ...(shape.isKeyed && { idempotency_key: key }),
    }));
    const json = count > 1 ? { resource: items } : items[0];
    const entries = keys.map(
      (key): Entry => ({
        ...{ key, kind, queue, delayMs, class: 'fail', ids: [], tries: 0, answer: '' },
        ...{ sentAt: Date.now(), answeredAt: 0 },
      }),
    );
    const giveUpAt = Date.now() + PERSISTENCE_MS;
    for (;;) {
      const answer = await this.#send(path, json);
      for (const [index, entry] of entries.entries())
        heed(entry, answer, told(answer, count > 1 ? index : undefined));
      const isToldAll = entries.every((entry) => entry.class === 'ok') || isFinal(answer);
      if (this.#isAbandoned || !shape.isKeyed || isToldAll || Date.now() > giveUpAt) break;
      await sleep(between(random, ...RETRY_MS));
    }
    if (this.#isAbandoned) return;
    for (const entry of entries) ledger.add(entry);
  }

  async #send(path: string, json: unknown): Promise<Answer> {
    const answer = await this.#options.door.call(path, { method: 'POST', json });
    this.answersMs.push(answer.ms);
    this.answers[answer.code] = (this.answers[answer.code] ?? 0) + 1;
    return answer;
  }
}

function heed(entry: Entry, answer: Answer, { class: said, id }: Told): void {
  entry.tries += 1;
  entry.answer = answer.code;
  entry.answeredAt = Date.now();
  if (id !== undefined && !entry.ids.includes(id)) entry.ids = [...entry.ids, id];
  // Once stored, always stored; once unknown, no refusal of a later try makes it known.
  if (said === 'ok' || (said === 'unknown' && entry.class === 'fail')) entry.class = said;
}

interface ErrorBody {
  error?: {
    context?: {
      outcome?: string;
      resource?: {
        success: boolean;
        id?: string;
        error?: { status_code: number; context?: { outcome?: string } };
      }[];
    };
  };
  id?: string;
  resource?: { id: string }[];
}

/** What an answer says of one job; of the `index`th of a batch. */
function told({ status, code, body }: Answer, index: number | undefined): Told {
  const content = (body ?? {}) as ErrorBody;
  if (status >= 200 && status < 300)
    return { class: 'ok', id: index === undefined ? content.id : content.resource?.[index]?.id };
  // Nobody listened, so nobody acted.
  if (code === 'ECONNREFUSED') return { class: 'fail' };
  if (status === 0) return { class: 'unknown' };
  const context = content.error?.context;
  const item = index === undefined ? undefined : context?.resource?.[index];
  if (item?.success) return { class: 'ok', id: item.id };
  if (item) return { class: refusal(item.error?.status_code ?? 500, item.error?.context?.outcome) };
  return { class: refusal(status, context?.outcome) };
}

function refusal(status: number, outcome: string | undefined): Class {
  if (status < 500 || status === 507) return 'fail';
  return outcome === 'not_attempted' ? 'fail' : 'unknown';
}

/** Another try would be told the same. */
function isFinal({ status, body }: Answer): boolean {
  const isBatchOfFaults = (body as ErrorBody | undefined)?.error?.context?.resource !== undefined;
  return status >= 400 && status < 500 && status !== 429 && !isBatchOfFaults;
}

function pick<T>(shares: readonly (readonly [T, number])[], at: number): T {
  let left = at * shares.reduce((sum, [, share]) => sum + share, 0);
  for (const [value, share] of shares) {
    left -= share;
    if (left < 0) return value;
  }
  return (shares.at(-1) as readonly [T, number])[0];
}
