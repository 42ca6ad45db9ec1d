import type { IncomingHttpHeaders } from 'node:http';
import { resolve } from 'node:path';
import { Webhook } from 'standardwebhooks';
import { describe, expect, it } from 'vitest';
import { type Cleaner, KEY, OwnRedis, Program, startProduct, until } from './product.ts';
import { startReceiver } from './receiver.ts';

const ROOT = resolve(import.meta.dirname, '../..');

interface Received {
  headers: IncomingHttpHeaders;
  text: string;
}

interface Standing {
  alert: string;
  value: number;
  phase: string;
  told: string | null;
}

/** Takes whatever it is sent. */
async function receiver(t: Cleaner): Promise<{ url: string; received: Received[] }> {
  const received: Received[] = [];
  const url = await startReceiver(t, ({ headers }, text) => void received.push({ headers, text }));
  return { url: `${url}/`, received };
}

describe('an alert', () => {
  it('is told once by two servers, signed, stays told when the one that looked dies, and is over once', {
    timeout: 120_000,
  }, async (t) => {
    const redis = await OwnRedis.start(t);
    const { url, received } = await receiver(t);
    const variables = {
      EGRESS_ALLOW: '127.0.0.1',
      WORKER_QUEUES: 'nothing,deliveries',
      ALERT_CHECK_SECONDS: '1',
    };
    const product = await startProduct(t, redis.url, variables);
    const second = new Program(
      process.execPath,
      [resolve(ROOT, 'apps/api/dist/main.js')],
      {
        PATH: process.env.PATH,
        REDIS_URL: redis.url,
        CACHE_DRIVER: 'redis',
        SLUICE_API_KEY: KEY,
        SLUICE_DATA_DIR: product.directory,
        PORT: '0',
        ...variables,
      },
      ROOT,
    );
    t.onTestFinished(() => second.kill());
    const [url2] = await second.says(/http:\/\/localhost:\d+/);
    const call = (path: string, method = 'GET', json?: unknown) =>
      fetch(`${url2}/api/v2${path}`, {
        method,
        headers: { 'X-DreamFactory-API-Key': KEY, 'Content-Type': 'application/json' },
        ...(json !== undefined && { body: JSON.stringify(json) }),
      });
    const standing = async () => {
      const told = (await (await call('/system/alert_state')).json()) as { resource: Standing[] };
      return told.resource;
    };
    const states = async () =>
      (await standing()).filter(({ alert }) => alert === 'slow').map(({ phase, told }) => [phase, told]);
    const bodies = () =>
      received.map(({ text }) => JSON.parse(text)).filter(({ data }) => data.alert === 'slow');

    const endpoint = await until(async () => {
      const answer = await call('/deliveries/endpoints/alerts', 'PUT', { url });
      return answer.ok ? ((await answer.json()) as { secret: string }) : undefined;
    });
    await call('/system/alert', 'POST', {
      name: 'slow',
      rule: 'oldest_age',
      subjects: ['left*'],
      threshold: 1,
      for_seconds: 1,
    });
    await call('/queues/left-alone/jobs', 'POST', { name: 'any', data: {} });
    await until(() => (bodies().length > 0 ? true : undefined), 30_000);
    const ageSeconds = async () => (await standing()).find(({ alert }) => alert === 'slow')?.value ?? 0;
    const ageBefore = await ageSeconds();
    await product.api.kill();
    // Every look writes the age down: the other server has looked since.
    await expect.poll(ageSeconds, { timeout: 30_000 }).toBeGreaterThan(ageBefore + 5);
    expect(bodies()).toHaveLength(1);
    expect(await states()).toEqual([['firing', 'firing']]);
    await call('/queues/left-alone/drain', 'POST');
    await until(() => (bodies().length > 1 ? true : undefined), 30_000);
    await expect.poll(states).toEqual([['quiet', 'resolved']]);

    const [first, last] = bodies();
    expect(bodies()).toHaveLength(2);
    expect(first).toMatchObject({
      type: 'alert.firing',
      data: { alert: 'slow', rule: 'oldest_age', subject: 'left-alone', threshold: 1, is_reminder: false },
    });
    expect(first.data.message).toMatch(/^Queue left-alone: a job has waited for \d+ s, longer than 1 s\.$/);
    expect(last).toMatchObject({
      type: 'alert.resolved',
      data: { alert: 'slow', subject: 'left-alone', since: first.data.since },
    });
    for (const { text, headers } of received)
      new Webhook(endpoint.secret).verify(text, headers as Record<string, string>);
  });
});
