import { Registry } from '@sluice/system';
import { describe, expect, it } from 'vitest';
import { startApi } from './harness.ts';

const PATH = '/api/v2/system/key';

describe('the trail', () => {
  it('tells who changed what, from what to what, and in which request; the newest first, by pages', async (t) => {
    const api = await startApi(t);
    const answer = await api.call(PATH, {
      method: 'POST',
      json: { label: 'ops', scopes: ['system:*', 'cache:read'] },
    });
    const made = (await answer.json()) as { id: string; key: string };
    const by = (path: string, method: string, json: unknown, id: string) =>
      api.call(path, { method, json, key: made.key, headers: { 'X-Request-Id': id } });
    await by('/api/v2/system/service', 'POST', { name: 'orders', type: 'cache_redis' }, 'r-1');
    await by('/api/v2/system/service/orders', 'PATCH', { label: 'Orders' }, 'r-2');
    await by('/api/v2/system/limit', 'POST', { name: 'mail', limit: 1, period: 'hour' }, 'r-3');
    await by('/api/v2/system/limit/mail', 'DELETE', undefined, 'r-4');
    await by(PATH, 'POST', { label: 'child', scopes: ['cache:read'] }, 'r-5');

    interface Page {
      resource: {
        action: string;
        target: string;
        author: unknown;
        request_id: string;
        before: never;
        after: never;
      }[];
      meta: { next?: string };
    }
    const read = async (query: string) =>
      (await (await api.call(`/api/v2/system/audit${query}`)).json()) as Page;
    const all = await read('');
    const pages: Page[] = [await read('?limit=4')];
    for (let next = pages[0]?.meta.next; next; next = pages.at(-1)?.meta.next)
      pages.push(await read(`?limit=4&cursor=${next}`));

    expect(all.resource.map(({ action, request_id: id }) => [action, id])).toEqual([
      ['key.create', 'r-5'],
      ['limit.remove', 'r-4'],
      ['limit.create', 'r-3'],
      ['service.update', 'r-2'],
      ['service.create', 'r-1'],
      ['key.create', expect.any(String)],
      ['key.create', null],
    ]);
    expect(all.resource[3]).toMatchObject({
      author: { kind: 'key', id: made.id, label: 'ops' },
      target: 'service:orders',
      before: { name: 'orders', label: 'orders' },
      after: { name: 'orders', label: 'Orders' },
    });
    expect(all.resource[4]?.before).toBeNull();
    expect(all.resource[0]?.after).toMatchObject({ label: 'child', scopes: ['cache:read'] });
    expect(all.resource[0]?.after).not.toHaveProperty('digest');
    expect(pages.map(({ resource }) => resource.length)).toEqual([4, 3]);
    expect(pages.flatMap(({ resource }) => resource)).toEqual(all.resource);
  });

  it('keeps the last ten thousand or so', async (t) => {
    const api = await startApi(t);
    const { client, keys } = api.redis;
    const registry = new Registry({ client, keys });
    const by = { author: { kind: 'cli' as const, id: null, label: 'test' }, requestId: null };
    const trail = `${api.redis.prefix}:system:{${api.redis.prefix}:system:keys}:trail`;
    for (let i = 0; i < 110; i += 1) {
      const changes = Array.from({ length: 100 }, (_, at) => ({
        kind: 'limit' as const,
        name: `p${at}`,
        expected: 0,
        body: i % 2 === 0 ? { n: at } : undefined,
        action: 'create',
        before: undefined,
        after: undefined,
      }));
      const known = new Map(registry.list('limit').map(({ name, version }) => [name, version]));
      const outcome = await registry.change(
        changes.map((each) => ({ ...each, expected: known.get(each.name) ?? 0 })),
        by,
      );
      expect(outcome.kind).toBe('done');
    }

    expect(await client.xlen(trail)).toBeLessThan(10_300);
    expect(await client.xlen(trail)).toBeGreaterThanOrEqual(10_000);
  });
});
