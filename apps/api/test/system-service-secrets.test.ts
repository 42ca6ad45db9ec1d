import { Secret } from '@sluice/config';
import { testServer } from '@sluice/redis/testing';
import { describe, expect, it, vi } from 'vitest';
import { startApi, type TestApi } from './harness.ts';
import { created, dumpOf, ORDERS, PASSWORD, PATH, place, reasonOf, within2s } from './service-calls.ts';

describe('the password of a service', () => {
  it('opens its Redis and is found nowhere: not in Redis, answers, the trail or the log', async (t) => {
    const guarded = await testServer(t, {
      settings: ['save ""', `requirepass ${PASSWORD}`],
      config: { password: new Secret(PASSWORD) },
    });
    const { port } = guarded;
    const api = await startApi(t);
    const answers: string[] = [];
    const call = async (...parts: Parameters<TestApi['call']>) => {
      const answer = await api.call(...parts);
      answers.push(await answer.clone().text());
      return answer;
    };
    const config = { host: '127.0.0.1', port, password: PASSWORD };

    await call(PATH, { method: 'POST', json: { resource: [{ ...ORDERS, config }] } });
    const read = () => call('/api/v2/orders?keys=a');
    await vi.waitFor(async () => expect((await read()).status).toBe(200), within2s);
    await call(`${PATH}/orders`, { method: 'PATCH', json: { label: 'Renamed' } });
    await vi.waitFor(async () => expect((await read()).status).toBe(200), within2s);
    await call(`${PATH}/orders`, {
      method: 'PUT',
      json: { ...ORDERS, config: { host: '127.0.0.1', port } },
    });
    await vi.waitFor(async () => expect((await read()).status).toBe(200), within2s);
    await call(`${PATH}/orders/_test`, { method: 'POST' });
    await call(`${PATH}/_test`, { method: 'POST', json: { config } });
    await call(`${PATH}/orders`, { method: 'PATCH', json: { config: { password: [PASSWORD] } } });
    await call(`${PATH}/orders`, { method: 'PATCH', json: { config: { password: PASSWORD, port: 'x' } } });
    await call(`${PATH}/orders`);
    await call(PATH);
    await call('/api/v2/system/audit');
    expect(JSON.parse(answers.at(-3) as string)).toMatchObject({ config: { has_password: true } });
    const sealed = await Promise.all((await api.redis.allKeys()).map((key) => dumpOf(api, key)));
    expect(sealed.join('\n')).toContain('v1.');

    await call(`${PATH}/orders`, { method: 'PATCH', json: { config: { password: null } } });

    expect(await (await call(`${PATH}/orders`)).json()).toMatchObject({ config: { has_password: false } });
    await vi.waitFor(async () => {
      expect(await (await read()).json()).toMatchObject({
        error: { message: 'NOAUTH Authentication required' },
      });
    }, within2s);
    const dump = await Promise.all((await api.redis.allKeys()).map((key) => dumpOf(api, key)));
    for (const text of [...answers, ...dump, api.logged()]) expect(text).not.toContain(PASSWORD);
  });

  it('made with another master secret is a problem of that service alone, until it is set anew', async (t) => {
    const first = await startApi(t, { SLUICE_SECRET: 'a'.repeat(32) });
    await created(first, { ...ORDERS, config: { ...place(), password: 'whatever' } });
    const variables = { REDIS_PREFIX: first.redis.prefix, SLUICE_SECRET: 'a'.repeat(32) };
    const second = await startApi(t, variables);
    await created(first, { ...ORDERS, name: 'carts' });
    // The keys of both are made with one secret; the seal alone is broken.
    const field = 'service:orders';
    const records = `${first.redis.prefix}:system:{${first.redis.prefix}:system:keys}:records`;
    const text = (await first.redis.client.hget(records, field)) as string;
    await first.redis.client.hset(
      records,
      field,
      text.replace(/v1\.[\w-]{8}/, 'v1.AAAAAAAA').replace('"version":1', '"version":99'),
      '@stamp',
      'x',
    );

    await vi.waitFor(async () => {
      expect(await reasonOf(await second.call('/api/v2/orders?keys=a'))).toEqual([500, 'secret_changed']);
    }, within2s);
    expect((await second.call('/api/v2/carts?keys=a')).status).toBe(200);
    const { problem } = (await (await second.call(`${PATH}/orders`)).json()) as { problem: string };
    expect(problem).toContain('another master secret');
    const mended = await second.call(`${PATH}/orders`, {
      method: 'PATCH',
      json: { config: { password: null } },
    });
    expect([mended.status, ((await mended.json()) as { problem: unknown }).problem]).toEqual([200, null]);
  });
});
