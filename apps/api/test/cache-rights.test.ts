import { describe, expect, it } from 'vitest';
import { startApi, type TestApi } from './harness.ts';

/** A key that reads, writes, deletes and flushes below `mine:`, and only reads below `shared:`. */
const SCOPES = [
  'cache:read:redis/mine:*',
  'cache:read:redis/shared:*',
  'cache:write:redis/mine:*',
  'cache:delete:redis/mine:*',
  'cache:flush:redis/mine:*',
];

describe('the rights of a key', () => {
  const allowed: [method: string, path: string, json?: unknown][] = [
    ['GET', '/api/v2/redis/mine:a'],
    ['GET', '/api/v2/redis/shared:a'],
    ['GET', '/api/v2/redis?keys=mine:a,shared:a'],
    ['PUT', '/api/v2/redis/mine:a', { value: 2 }],
    ['PATCH', '/api/v2/redis/mine:a', { ttl: 60 }],
    ['POST', '/api/v2/redis', { resource: [{ key: 'mine:b', value: 1 }] }],
    ['POST', '/api/v2/redis', { key: 'mine:b', value: 1 }],
    ['POST', '/api/v2/redis', { 'mine:c': 1 }],
    ['POST', '/api/v2/redis/_ops/incr', { key: 'mine:n' }],
    ['POST', '/api/v2/redis/_ops/lease', { key: 'mine:l' }],
    ['DELETE', '/api/v2/redis/mine:a'],
    ['DELETE', '/api/v2/redis?keys=mine:a,mine:c'],
    ['DELETE', '/api/v2/redis', { resource: ['mine:a'] }],
    ['DELETE', '/api/v2/redis?prefix=mine:x'],
  ];
  const refused: [method: string, path: string, json?: unknown][] = [
    ['GET', '/api/v2/redis/other'],
    ['GET', '/api/v2/redis/other?check_exist=true'],
    ['HEAD', '/api/v2/redis/other'],
    ['GET', '/api/v2/redis?keys=mine:a,other'],
    ['POST', '/api/v2/redis/_ops/mget', { resource: [{ key: 'mine:a' }, { key: 'other' }] }],
    ['GET', '/api/v2/redis/shared:a?clear=true'],
    ['GET', '/api/v2/redis/shared:a?touch=9'],
    ['PUT', '/api/v2/redis/shared:a', { value: 2 }],
    ['PATCH', '/api/v2/redis/shared:a', { ttl: 60 }],
    ['POST', '/api/v2/redis/shared:new', { value: 2 }],
    [
      'POST',
      '/api/v2/redis',
      {
        resource: [
          { key: 'mine:b', value: 1 },
          { key: 'shared:a', value: 1 },
        ],
      },
    ],
    [
      'POST',
      '/api/v2/redis?continue=true',
      {
        resource: [
          { key: 'mine:b', value: 1 },
          { key: 'shared:a', value: 1 },
        ],
      },
    ],
    ['POST', '/api/v2/redis', { key: 'shared:a', value: 1 }],
    ['POST', '/api/v2/redis', { 'mine:b': 1, 'shared:b': 1 }],
    ['PUT', '/api/v2/redis', { 'mine:b': 1, 'shared:b': 1 }],
    ['POST', '/api/v2/redis/_ops/incr', { key: 'shared:n' }],
    ['POST', '/api/v2/redis/_ops/lease', { key: 'shared:l' }],
    ['POST', '/api/v2/redis/_ops/fill', { key: 'shared:l', lease: 'x', value: 1 }],
    ['POST', '/api/v2/redis/_ops/renew', { key: 'shared:l', lease: 'x' }],
    ['POST', '/api/v2/redis/_ops/release', { key: 'shared:l', lease: 'x' }],
    ['POST', '/api/v2/redis/_ops/purge-tags', { tags: ['t'] }],
    ['DELETE', '/api/v2/redis/shared:a'],
    ['DELETE', '/api/v2/redis?keys=mine:a,shared:a'],
    ['DELETE', '/api/v2/redis', { resource: ['mine:a', 'shared:a'] }],
    ['DELETE', '/api/v2/redis'],
    ['DELETE', '/api/v2/redis?dry_run=true'],
    ['DELETE', '/api/v2/redis?prefix=m'],
    ['DELETE', '/api/v2/redis?prefix=shared:'],
  ];

  it.for(allowed)('allow %s %s %j', async ([method, path, json], t) => {
    const { api, key } = await setup(t);

    const response = await api.call(path, { method, key, json });

    expect(response.status).toBeLessThan(300);
  });

  it.for(refused)('refuse %s %s %j, and nothing is done', async ([method, path, json], t) => {
    const { api, key } = await setup(t);
    const cached = async () => (await api.redis.allKeys()).filter((each) => each.includes(':cache'));
    const before = await cached();

    const response = await api.call(path, { method, key, json });

    expect(response.status).toBe(403);
    expect(await cached()).toEqual(before);
  });

  it('show in a list only what may be read', async (t) => {
    const { api, key } = await setup(t);

    const list = await api.call('/api/v2/redis?as_list=true', { key });
    const foreign = await api.call('/api/v2/redis?as_list=true', {
      key: await api.makeKey(['cache:read:redis/none']),
    });

    expect(await list.json()).toEqual({ resource: ['mine:a', 'shared:a'] });
    expect(await foreign.json()).toEqual({ resource: [] });
  });

  it('of one service are not those of another, nor is a neighbour’s name a prefix', async (t) => {
    const api = await startApi(t);
    const key = await api.makeKey(['cache:*:redi/*', 'cache:*:redis2/*', 'jobs:*']);

    for (const [method, path] of [
      ['GET', '/api/v2/redis/a'],
      ['DELETE', '/api/v2/redis/a'],
      ['DELETE', '/api/v2/redis'],
    ] as const) {
      expect((await api.call(path, { method, key })).status).toBe(403);
    }
  });
});

async function setup(t: {
  onTestFinished(cleanUp: () => Promise<void> | void): void;
}): Promise<{ api: TestApi; key: string }> {
  const api = await startApi(t);
  const resource = ['mine:a', 'shared:a', 'other'].map((key) => ({ key, value: 1 }));
  await api.call('/api/v2/redis', { method: 'POST', json: { resource } });
  return { api, key: await api.makeKey(SCOPES) };
}
