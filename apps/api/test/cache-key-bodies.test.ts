import { describe, expect, it } from 'vitest';
import { about, post, put, reasonOf, textOf, ttlOf, valuesOf } from './cache-calls.ts';
import { startApi } from './harness.ts';

describe('what a body at a key of a cache service says', () => {
  it.for([
    ['an item', '{"value":{"x":1}}', '{"x":1}'],
    ['an item with its ttl', '{"value":1,"ttl":60}', '1'],
    ['an item with its own key', '{"key":"k","value":2}', '2'],
    ['an item in a list of one', '{"resource":[{"key":"k","value":[3]}]}', '[3]'],
    ['an object with more than an item has', '{"value":1,"other":2}', '{"value":1,"other":2}'],
    ['any other object', '{"name":"x"}', '{"name":"x"}'],
    ['a list', '[1, 2.0]', '[1, 2.0]'],
    ['a scalar', '12345678901234567890', '12345678901234567890'],
    ['a JSON text', '"abc"', '"abc"'],
    ['null, with space around', ' null\n', 'null'],
  ] as const)('%s', async ([, body, stored], t) => {
    const api = await startApi(t);

    const response = await put(api, 'k?upsert=true', body);

    expect(response.status).toBe(201);
    expect(await textOf(api, 'k')).toBe(`{"key":"k","value":${stored}}`);
  });

  it('plain text: a string', async (t) => {
    const api = await startApi(t);

    await api.call('/api/v2/redis/k?upsert=true', {
      method: 'PUT',
      body: '"quoted" {x}\n',
      headers: { 'Content-Type': 'text/plain' },
    });

    expect(await textOf(api, 'k')).toBe('{"key":"k","value":"\\"quoted\\" {x}\\n"}');
  });

  it('decides by value_mode or X-Cache-Value where it could be both', async (t) => {
    const api = await startApi(t);

    await put(api, 'raw?upsert=true&value_mode=raw', '{"value":1}');
    await put(api, 'header?upsert=true', '{"value":1}', { 'X-Cache-Value': 'raw' });
    const noItem = await put(api, 'item?upsert=true&value_mode=item', '{"name":1}');

    expect(await textOf(api, 'raw')).toBe('{"key":"raw","value":{"value":1}}');
    expect(await textOf(api, 'header')).toBe('{"key":"header","value":{"value":1}}');
    expect([noItem.status, await reasonOf(noItem)]).toEqual([400, 'input_invalid']);
  });

  it('refuses an item with the key of another', async (t) => {
    const api = await startApi(t);

    const response = await put(api, 'k?upsert=true', '{"key":"other","value":1}');

    expect([response.status, await reasonOf(response)]).toEqual([400, 'key_invalid']);
  });

  it('POST creates and does not overwrite', async (t) => {
    const api = await startApi(t);
    const create = () => api.call('/api/v2/redis/k', { method: 'POST', json: { value: 1 } });

    const first = await create();
    const second = await create();

    expect([first.status, await first.json()]).toEqual([201, { key: 'k', success: true }]);
    expect([second.status, await reasonOf(second)]).toEqual([400, 'keys_exist']);
  });

  it('PUT with upsert tells whether it created', async (t) => {
    const api = await startApi(t);

    const statuses = [await put(api, 'k?upsert=true', '1'), await put(api, 'k?upsert=true', '2')].map(
      ({ status }) => status,
    );

    expect(statuses).toEqual([201, 200]);
    expect(await valuesOf(api, 'k')).toEqual([2]);
  });

  it('PUT starts the ttl anew, or keeps it', async (t) => {
    const api = await startApi(t);
    await post(api, '{"key":"k","value":1,"ttl":60}');

    await put(api, 'k?keep_ttl=true', '2');
    const kept = await ttlOf(api, 'k');
    await put(api, 'k', '{"value":3,"ttl":90}');
    const given = await ttlOf(api, 'k');
    await put(api, 'k', '4');

    expect([kept, given, await ttlOf(api, 'k')]).toEqual([about(60), about(90), about(18_000)]);
  });

  it('PATCH changes ttl, tags or members, and nothing else', async (t) => {
    const api = await startApi(t);
    await post(api, '{"key":"k","value":{"big":12345678901234567890,"gone":1,"deep":{"a":1}},"ttl":60}');
    const patch = (body: string, type = 'application/json', query = '') =>
      api.call(`/api/v2/redis/k${query}`, { method: 'PATCH', body, headers: { 'Content-Type': type } });

    const ttl = await patch('{"ttl":30}');
    const merged = await patch('{"gone":null,"deep":{"b":2}}', 'application/merge-patch+json');
    await patch('{"merge":{"c":3}}');
    await patch('{"d":4}', 'application/json', '?merge=true');
    const unnamed = await patch('{"value":1}');

    expect([ttl.status, await ttl.json()]).toEqual([200, { key: 'k', success: true }]);
    expect(merged.status).toBe(200);
    expect(await textOf(api, 'k')).toBe(
      '{"key":"k","value":{"big":12345678901234567890,"deep":{"a":1,"b":2},"c":3,"d":4}}',
    );
    expect(await ttlOf(api, 'k')).toEqual(about(30));
    expect([unnamed.status, await reasonOf(unnamed)]).toEqual([400, 'input_invalid']);
    expect((await api.call('/api/v2/redis/none', { method: 'PATCH', json: { ttl: 1 } })).status).toBe(404);
  });
});

describe('bounds of a body', () => {
  it('413 for a value or a batch that is too large, or has too many items', async (t) => {
    const api = await startApi(t, {
      MAX_VALUE_BYTES: '2048',
      MAX_BATCH_BYTES: '8192',
      MAX_BATCH_ITEMS: '10',
    });
    const big = 'x'.repeat(3_000);

    const responses = [
      await put(api, 'k?upsert=true', JSON.stringify(big)),
      await post(api, JSON.stringify({ resource: [{ key: 'k', value: big }] })),
      await post(api, JSON.stringify({ key: 'k', value: big })),
      await post(api, JSON.stringify({ k: big })),
      await post(
        api,
        JSON.stringify({
          resource: Array.from({ length: 5 }, (_, at) => ({ key: `k${at}`, value: 'x'.repeat(2_000) })),
        }),
      ),
      await post(
        api,
        JSON.stringify({ resource: Array.from({ length: 11 }, (_, at) => ({ key: `k${at}`, value: 1 })) }),
      ),
      await api.call(`/api/v2/redis?keys=${Array.from({ length: 11 }, (_, at) => `k${at}`)}`),
    ];

    expect(responses.map(({ status }) => status)).toEqual(responses.map(() => 413));
    expect(await (await api.call('/api/v2/redis/')).json()).toEqual({ resource: [] });
  });
});
