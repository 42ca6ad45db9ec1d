/** This file owns traffic of all sorts at a pace of its own (open loop): what is asked, what came back, how long it took. */
import type { Door } from './door.ts';
import { OpenLoop } from './open-loop.ts';
import type { Random } from './random.ts';

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
  readonly #loop: OpenLoop;

  constructor({ door, random, perSecond }: { door: Door; random: Random; perSecond: number }) {
    this.#door = door;
    this.#loop = new OpenLoop({
      everyMs: 1_000 / perSecond,
      call: () => this.#ask(QUESTIONS[Math.floor(random() * QUESTIONS.length)] as Question),
    });
  }

  start(): void {
    this.#loop.start();
  }

  /** Resolves when each question has its answer, or was given up after 10 s. */
  async stop(): Promise<void> {
    await this.#loop.stop();
  }

  async #ask({ name, path, ...question }: Question): Promise<void> {
    const { status, code, ms } = await this.#door.call(path, question);
    this.replies.push({ name, status, code, ms, answeredAt: Date.now() });
  }
}
