/** This file owns traffic of all sorts at a pace of its own (open loop): what is asked, what came back, how long it took. */
import type { Door } from './door.ts';
import { type Random, sleepUntil } from './random.ts';

export interface Question {
  name: string;
  method: string;
  path: string;
  json?: unknown;
  headers?: Record<string, string>;
}

export interface Reply {
  name: string;
  status: number;
  code: string;
  ms: number;
  /** Epoch milliseconds. */
  answeredAt: number;
}

/** What a client may ask of the API. */
export const QUESTIONS: readonly Question[] = [
  { name: 'read a value', method: 'GET', path: '/redis/a' },
  { name: 'read values', method: 'GET', path: '/redis?keys=a,b' },
  {
    name: 'store a value',
    method: 'POST',
    path: '/redis',
    json: { resource: [{ key: 'a', value: 1, ttl: 60 }] },
  },
  { name: 'remove a value', method: 'DELETE', path: '/redis/b?ignore_missing=true' },
  { name: 'enqueue', method: 'POST', path: '/queues/pull-traffic/jobs', json: { name: 'none', data: {} } },
  { name: 'read a job', method: 'GET', path: '/queues/pull-traffic/jobs/j_0' },
  { name: 'wait for a job', method: 'GET', path: '/queues/pull-traffic/jobs/j_0/result?wait=30' },
  { name: 'read a queue', method: 'GET', path: '/queues/pull-traffic' },
  {
    name: 'a wrong key',
    method: 'GET',
    path: '/queues',
    headers: { 'X-DreamFactory-API-Key': 'nobody-0123456789' },
  },
];

export class Traffic {
  readonly replies: Reply[] = [];
  readonly #door: Door;
  readonly #random: Random;
  readonly #perSecond: number;
  readonly #calls = new Set<Promise<void>>();
  #isStopping = false;
  #pacing: Promise<void> | undefined;

  constructor({ door, random, perSecond }: { door: Door; random: Random; perSecond: number }) {
    this.#door = door;
    this.#random = random;
    this.#perSecond = perSecond;
  }

  start(): void {
    this.#pacing = this.#pace();
  }

  /** Resolves when each question has its answer, or was given up after 10 s. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    await this.#pacing;
    await Promise.all(this.#calls);
  }

  async #pace(): Promise<void> {
    const begun = Date.now();
    for (let asked = 0; !this.#isStopping; asked += 1) {
      await sleepUntil(begun + (asked / this.#perSecond) * 1_000);
      const question = QUESTIONS[Math.floor(this.#random() * QUESTIONS.length)] as Question;
      const call = this.#ask(question);
      this.#calls.add(call);
      void call.finally(() => this.#calls.delete(call));
    }
  }

  async #ask({ name, path, ...question }: Question): Promise<void> {
    const { status, code, ms } = await this.#door.call(path, question);
    this.replies.push({ name, status, code, ms, answeredAt: Date.now() });
  }
}
