import { describe, expect, it } from 'vitest';
import { about, post, put, reasonOf, textOf, ttlOf, valuesOf } from './cache-calls.ts';
import { startApi } from './harness.ts';

describe('what a body at the root of a cache service says', () => {
  it.for([
    ['a list under resource', '{"resource":[{"key":"a","value":1},{"key":"b","value":2}]}'],
    ['a bare list', '[{"key":"a","value":1},{"key":"b","value":2}]'],
  ] as const)('%s: items', async ([, body], t) => {
    const api = await startApi(t);

    const response = await post(api, body);

    expect(response.status).toBe(201);
    expect(await response.json()).toStrictEqual({
      resource: [
        { key: 'a', success: true },
        { key: 'b', success: true },
      ],
    });
    expect(await valuesOf(api, 'a,b')).toEqual([1, 2]);
  });

  it('an object with key and value: a single item', async (t) => {
    const api = await startApi(t);

    const response = await post(api, '{"key":"a","value":{"n":1.0},"ttl":60}');

    expect(response.status).toBe(201);
    expect(await response.json()).toStrictEqual({ resource: [{ key: 'a', success: true }] });
    expect(await textOf(api, 'a')).toBe('{"key":"a","value":{"n":1.0}}');
  });

  it('any other object: a map, of which all is stored or nothing', async (t) => {
    const api = await startApi(t);

    const first = await post(api, '{"a":1,"b":{"x":[]},"0":"zero"}');
    const second = await post(api, '{"c":1,"a":2}');

    expect(first.status).toBe(201);
    expect(await first.json()).toStrictEqual({ success: true });
    expect(await valuesOf(api, 'a,b,0')).toEqual([1, { x: [] }, 'zero']);
    expect(second.status).toBe(400);
    expect(await second.json()).toMatchObject({
      error: {
        code: 400,
        message: 'Nothing was stored in cache. One or more key(s) already exists (a)',
        context: { reason: 'keys_exist', keys: ['a'] },
      },
    });
    expect(await valuesOf(api, 'a,c')).toEqual([1, undefined]);
  });

  it('a map whose values look like items, and one with a key named resource', async (t) => {
    const api = await startApi(t);

    await post(api, '{"a":{"value":1},"resource":"x"}');
    const alone = await post(api, '{"resource":{"key":"b","value":1}}');

    expect(await valuesOf(api, 'a,resource')).toEqual([{ value: 1 }, 'x']);
    expect(alone.status).toBe(400);
    expect(await reasonOf(alone)).toBe('input_invalid');
  });

  it('carries values untouched, whatever JSON they are', async (t) => {
    const api = await startApi(t);
    const texts = [
      '12345678901234567890',
      '1.0',
      '{ "a" : [ 1 , {"a":1,"a":2} ] , "__proto__" : 1 }',
      '"\\u0041\\ud800"',
      'null',
      '0',
      '""',
      'false',
      '[]',
      '{}',
    ];

    const items = texts.map((text, at) => `{"key":"k${at}","value":${text}}`);
    await post(api, `{"resource":[${items.join(',')}]}`);
    await post(api, `{${texts.map((text, at) => `"m${at}":${text}`).join(',')}}`);
    for (const [at, text] of texts.entries()) await put(api, `k${at}`, `{"value":${text}}`);

    for (const [at, text] of texts.entries()) {
      expect(await textOf(api, `k${at}`)).toBe(`{"key":"k${at}","value":${text}}`);
      expect(await textOf(api, `m${at}`)).toBe(`{"key":"m${at}","value":${text}}`);
    }
    expect(await (await api.call('/api/v2/redis?keys=k0,m2')).text()).toBe(
      `{"resource":[{"key":"k0","value":${texts[0]}},{"key":"m2","value":${texts[2]}}]}`,
    );
  });

  it.for([
    ['an empty list', '{"resource":[]}'],
    ['an empty bare list', '[]'],
    ['an empty map', '{}'],
    ['a scalar', '1'],
    ['null', 'null'],
    ['a text', '"x"'],
  ] as const)('%s is refused', async ([, body], t) => {
    const api = await startApi(t);

    const response = await post(api, body);

    expect(response.status).toBe(400);
    expect(await reasonOf(response)).toBe('input_invalid');
  });

  it.for([
    ['no JSON', '{"resource":', 'json_invalid', 400],
    ['no body', '', 'json_invalid', 400],
  ] as const)('%s is refused', async ([, body, reason, status], t) => {
    const api = await startApi(t);

    const response = await post(api, body);

    expect(response.status).toBe(status);
    expect(await reasonOf(response)).toBe(reason);
  });

  it('another media type is refused', async (t) => {
    const api = await startApi(t);

    const response = await api.call('/api/v2/redis', {
      method: 'POST',
      body: 'a=1',
      headers: { 'Content-Type': 'application/x-www-form-urlencoded' },
    });

    expect(response.status).toBe(415);
  });

  it('a failed batch names each item that failed and stores nothing', async (t) => {
    const api = await startApi(t);
    const items = [
      { key: 'good', value: 1 },
      { value: 2 },
      { key: 'no value' },
      { key: 'bad ttl', value: 3, ttl: 1.5 },
      { key: 'unknown', value: 4, tll: 5 },
      { key: '', value: 5 },
      'not an object',
      { key: 'both', value: 6, nx: true, xx: true },
      { key: 'tags', value: 7, tags: 'x' },
      { key: 'grace', value: 7, grace: -1 },
    ];

    const response = await api.call('/api/v2/redis', { method: 'POST', json: { resource: items } });

    expect(response.status).toBe(400);
    const { error } = (await response.json()) as {
      error: Record<string, unknown> & { context: Record<string, unknown> };
    };
    expect(error).toMatchObject({
      code: 1000,
      status_code: 400,
      message: 'Batch Error: Not all parts of the request were successful.',
    });
    expect(error.context).toMatchObject({
      reason: 'batch_failed',
      error: [1, 2, 3, 4, 5, 6, 7, 8, 9],
      resource: [
        { key: 'good', success: false },
        { key: '', success: false, error: { code: 400, reason: 'key_invalid' } },
        { key: 'no value', success: false, error: { code: 400, reason: 'value_invalid' } },
        { key: 'bad ttl', success: false, error: { code: 400, reason: 'ttl_invalid' } },
        { key: 'unknown', success: false, error: { code: 400, reason: 'input_invalid' } },
        { key: '', success: false, error: { code: 400, reason: 'key_invalid' } },
        { key: '', success: false, error: { code: 400, reason: 'input_invalid' } },
        { key: 'both', success: false, error: { code: 400, reason: 'input_invalid' } },
        { key: 'tags', success: false, error: { code: 400, reason: 'tag_invalid' } },
        { key: 'grace', success: false, error: { code: 400, reason: 'ttl_invalid' } },
      ],
    });
    expect(await valuesOf(api, 'good')).toEqual([undefined]);
  });

  it('with continue the good items of a failed batch are stored', async (t) => {
    const api = await startApi(t);
    await post(api, '{"resource":[{"key":"there","value":0}]}');

    const response = await api.call('/api/v2/redis?continue=true', {
      method: 'POST',
      json: {
        resource: [
          { key: 'good', value: 1 },
          { key: 'there', value: 2, nx: true },
          { key: 'gone', value: 3, xx: true },
          { key: 'there', value: 4, if_match: '"other"' },
        ],
      },
    });

    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({
      error: {
        code: 1000,
        context: {
          error: [1, 2, 3],
          resource: [
            { key: 'good', success: true },
            { key: 'there', error: { code: 409, reason: 'key_exists' } },
            { key: 'gone', error: { code: 404, reason: 'key_not_found' } },
            { key: 'there', error: { code: 412, reason: 'etag_mismatch' } },
          ],
        },
      },
    });
    expect(await valuesOf(api, 'good,there')).toEqual([1, 0]);
  });

  it('ttl: the item first, then forever, then the query, then the default', async (t) => {
    const api = await startApi(t);
    const store = async (query: string, item: object) => {
      await api.call(`/api/v2/redis${query}`, {
        method: 'POST',
        json: { resource: [{ key: 'k', value: 1, ...item }] },
      });
      return await ttlOf(api, 'k');
    };

    expect(await store('?ttl=60&forever=true', { ttl: 30 })).toEqual(about(30));
    expect(await store('?ttl=60', { ttl: -1 })).toEqual(about(18_000));
    expect(await store('?ttl=60&forever=true', {})).toBe(0);
    expect(await store('?ttl=60', {})).toEqual(about(60));
    expect(await store('?ttl=60', { keep_ttl: true })).toEqual(about(60));
    expect(await store('', {})).toEqual(about(18_000));
    expect((await api.call('/api/v2/redis?ttl=x', { method: 'POST', json: { a: 1 } })).status).toBe(400);
  });

  it('stores over nothing only with if_not_exists', async (t) => {
    const api = await startApi(t);
    await post(api, '{"key":"a","value":1}');

    const response = await api.call('/api/v2/redis?if_not_exists=true', {
      method: 'POST',
      json: { key: 'a', value: 2 },
    });

    expect(response.status).toBe(409);
    expect(await reasonOf(response)).toBe('key_exists');
  });

  it('PUT stores a map or a list over what is there', async (t) => {
    const api = await startApi(t);
    await post(api, '{"a":1}');

    const map = await put(api, '', '{"a":2,"b":3}');
    const list = await put(api, '', '{"resource":[{"key":"a","value":4}]}');

    expect([map.status, await map.json()]).toEqual([200, { success: true }]);
    expect([list.status, await list.json()]).toEqual([200, { resource: [{ key: 'a', success: true }] }]);
    expect(await valuesOf(api, 'a,b')).toEqual([4, 3]);
  });
});
