/** This file owns a product that has done a little of everything, and what /metrics of its API and of its worker then say. */
import { expect } from 'vitest';
import { type Cleaner, KEY, OwnRedis, type Product, startProduct } from './product.ts';

export interface Series {
  /** `counter`, `gauge`, `histogram`. */
  type: string;
  help: string;
  /** Of the samples there are; empty without one. Those of a histogram's buckets are not among them. */
  labels: Set<string>;
}

export interface Exposition {
  text: string;
  /** By the name that TYPE says. */
  series: Map<string, Series>;
}

/** API and worker as processes, after jobs, leases, reads of a cache, a limit and a session. */
export async function observedProduct(
  t: Cleaner,
): Promise<{ product: Product; api: Exposition; worker: Exposition }> {
  const redis = await OwnRedis.start(t, ['--maxmemory', '256mb', '--maxmemory-policy', 'noeviction']);
  const product = await startProduct(t, redis.url, { WORKER_QUEUES: 'mail' });
  await act(product);
  const [, port] = await product.worker.says(/"port":(\d+)[^\n]*"msg":"health listening"/);
  const worker = await untilHolds(
    `http://127.0.0.1:${port}/metrics`,
    /^sluice_job_attempts_total\{.*outcome="fail"/m,
  );
  const api = await untilHolds(
    `${product.url}/metrics`,
    /^sluice_queue_finished_total\{queue="mail",state="failed"\} 1$/m,
  );
  return { product, api, worker };
}

async function act({ call }: Product): Promise<void> {
  const post = async (path: string, json: unknown, status = 201) => {
    const answer = await call(path, { method: 'POST', json });
    const body = await answer.text();
    expect(answer.status, body).toBe(status);
    return JSON.parse(body);
  };
  await post('/queues/mail/jobs', { name: 'example.echo', data: { say: 'hello' } });
  await post('/queues/mail/jobs', { name: 'unknown', data: {} });
  await post('/queues/outside/jobs', { name: 'any', data: {} });
  const { resource } = await post('/queues/outside/leases', { count: 1, lease_ms: 30_000 }, 200);
  await post(`/leases/${resource[0].lease}/complete`, { result: 1 }, 200);
  await post('/redis', { resource: [{ key: 'a', value: 1 }] });
  await call('/redis/a');
  await call('/redis/absent');
  await post('/system/limit', { name: 'sends', limit: 10, period: 'minute' });
  await expect
    .poll(
      async () => (await call('/limits/sends/consume', { method: 'POST', json: { key: 'ada' } })).status,
      {
        timeout: 5_000,
      },
    )
    .toBe(200);
  await post('/sessions', { user_id: 'ada', data: {} });
}

/** A counter of another process comes a moment later. */
async function untilHolds(url: string, pattern: RegExp): Promise<Exposition> {
  let text = '';
  await expect
    .poll(
      async () => {
        const answer = await fetch(url, { headers: { 'X-DreamFactory-API-Key': KEY } });
        text = await answer.text();
        return text;
      },
      { timeout: 20_000 },
    )
    .toMatch(pattern);
  return { text, series: readExposition(text) };
}

/** Prometheus text format 0.0.4. */
export function readExposition(text: string): Map<string, Series> {
  const series = new Map<string, Series>();
  for (const [, name, help] of text.matchAll(/^# HELP (\S+) (.*)$/gm))
    series.set(name as string, { type: '', help: help as string, labels: new Set() });
  for (const [, name, type] of text.matchAll(/^# TYPE (\S+) (\w+)$/gm)) {
    const found = series.get(name as string);
    if (found) found.type = type as string;
  }
  for (const [, name, labels = ''] of text.matchAll(/^([a-z_]\w*)(?:\{(.*)\})? \S+$/gm)) {
    const found =
      series.get(name as string) ?? series.get((name as string).replace(/_(bucket|sum|count)$/, ''));
    for (const [, label] of labels.matchAll(/(\w+)="(?:[^"\\]|\\.)*"/g)) {
      if (found && label !== 'le') found.labels.add(label as string);
    }
  }
  return series;
}
