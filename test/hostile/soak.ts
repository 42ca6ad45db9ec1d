/** This file owns a paced load over everything the API does, and what is looked at while it lasts. */
import { readdirSync } from 'node:fs';
import { setTimeout as later } from 'node:timers/promises';
import type { StandaloneConfig } from '@sluice/config';
import { connect, type RedisClient } from '@sluice/redis';
import type { Product } from '../e2e/product.ts';
import { rssMiB } from './overload.ts';

export interface Sample {
  seconds: number;
  requests: number;
  /** Neither 2xx nor 404 of something that has expired. */
  wrong: number;
  /** Of those: how often which status was answered to what. */
  wrongAnswers: Readonly<Record<string, number>>;
  apiRssMiB: number;
  apiHeapMiB: number;
  apiFds: number;
  workerRssMiB: number;
  workerFds: number;
  redisMiB: number;
  redisKeys: number;
}

/** One round touches each area; finished jobs are kept by count, values and sessions by time, so that all of it levels out. */
const ROUNDS_PER_SECOND = 20;
const KEYS = 500;
const USERS = 50;
const SAMPLE_EVERY_MS = 5_000;
const KEPT_JOBS = { retain: { count: 200 } };

/** Loads `product` for `minutes` and samples it. */
export async function soak(options: {
  product: Product;
  redis: StandaloneConfig;
  minutes: number;
  say: (sample: Sample) => void;
}): Promise<Sample[]> {
  const { product, minutes, say } = options;
  const redis = connect({ config: options.redis, profile: 'worker', name: 'soak' });
  const samples: Sample[] = [];
  const startedAt = performance.now();
  const endsAt = startedAt + minutes * 60_000;
  let requests = 0;
  let wrong = 0;
  const wrongAnswers: Record<string, number> = {};
  let round = 0;
  const ask = async (path: string, init: Parameters<Product['call']>[1] = {}) => {
    requests += 1;
    const answer = await product.call(path, init);
    if (answer.ok || answer.status === 404) return answer;
    wrong += 1;
    const what = `${answer.status} ${init.method ?? 'GET'} ${path.split('/')[1]}`;
    wrongAnswers[what] = (wrongAnswers[what] ?? 0) + 1;
    return answer;
  };
  await ask('/system/limit', { method: 'POST', json: { name: 'soak', limit: 1_000, period: 'minute' } });

  const one = async (n: number) => {
    await Promise.all([
      jobs(ask, n),
      leases(ask),
      cache(ask, n),
      limit(ask, n),
      session(ask, n),
      events(product, n),
    ]);
  };
  const pace = async () => {
    while (performance.now() < endsAt) {
      const due = Math.floor(((performance.now() - startedAt) / 1_000) * ROUNDS_PER_SECOND);
      for (; round < due; round += 1) {
        void one(round).catch(() => {
          wrong += 1;
        });
      }
      await later(20);
    }
  };
  const watch = async () => {
    while (performance.now() < endsAt) {
      await later(SAMPLE_EVERY_MS);
      const seconds = Math.round((performance.now() - startedAt) / 1_000);
      const sample = {
        seconds,
        requests,
        wrong,
        wrongAnswers: { ...wrongAnswers },
        ...(await look(product, redis)),
      };
      samples.push(sample);
      say(sample);
    }
  };
  await Promise.all([pace(), watch()]);
  redis.disconnect();
  return samples;
}

type Ask = (path: string, init?: Parameters<Product['call']>[1]) => Promise<Response>;
const json = (method: string, value: unknown) => ({ method, json: value });

async function jobs(ask: Ask, n: number): Promise<void> {
  await ask('/queues/soaked/jobs', json('POST', { name: 'nobody-knows-it', data: { n }, opts: KEPT_JOBS }));
  await ask('/queues/leased/jobs', json('POST', { name: 'a', data: { n }, opts: KEPT_JOBS }));
}

async function leases(ask: Ask): Promise<void> {
  const taken = await ask('/queues/leased/leases', json('POST', { count: 5 }));
  const { resource = [] } = (await taken.json()) as { resource?: { lease: string }[] };
  for (const { lease } of resource) await ask(`/leases/${lease}/complete`, json('POST', { result: 1 }));
}

async function cache(ask: Ask, n: number): Promise<void> {
  const path = `/redis/soak:${n % KEYS}`;
  await ask(`${path}?upsert=true`, json('PUT', { value: { n, text: 'x'.repeat(500) }, ttl: 60 }));
  await (await ask(path)).arrayBuffer();
}

async function limit(ask: Ask, n: number): Promise<void> {
  await ask('/limits/soak/consume', json('POST', { key: `user-${n % USERS}` }));
}

async function session(ask: Ask, n: number): Promise<void> {
  const made = await ask('/sessions', json('POST', { user_id: `user-${n % USERS}`, data: { n }, ttl: 30 }));
  const { session_token: token = '' } = (await made.json()) as { session_token?: string };
  const headers = { 'X-DreamFactory-Session-Token': token };
  await ask('/sessions/current', { headers });
  if (n % 2 === 0) await ask('/sessions/current', { method: 'DELETE', headers });
}

/** A reader of a channel who comes and goes, and a message for it. */
async function events(product: Product, n: number): Promise<void> {
  if (n % ROUNDS_PER_SECOND !== 0) return;
  const leaving = new AbortController();
  const stream = await product.call('/channels/soak', { signal: leaving.signal });
  await product.call('/channels/soak', json('POST', { message: { n } }));
  await stream.body?.getReader().read();
  leaving.abort();
}

async function look(
  product: Product,
  redis: RedisClient,
): Promise<Omit<Sample, 'seconds' | 'requests' | 'wrong' | 'wrongAnswers'>> {
  const metrics = await product.call('/../../metrics').then((answer) => answer.text());
  const heap = /^sluice_nodejs_heap_size_used_bytes(?:\{[^}]*\})? (\S+)/m.exec(metrics)?.[1];
  const info = await redis.info('memory');
  return {
    apiRssMiB: rssMiB(product.api.pid),
    apiHeapMiB: Number(heap ?? 0) / 1_048_576,
    apiFds: fdsOf(product.api.pid),
    workerRssMiB: rssMiB(product.worker.pid),
    workerFds: fdsOf(product.worker.pid),
    redisMiB: Number(/used_memory:(\d+)/.exec(info)?.[1] ?? 0) / 1_048_576,
    redisKeys: await redis.dbsize(),
  };
}

function fdsOf(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).length;
}
