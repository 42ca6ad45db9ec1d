import { type RouteDeclaration, routes } from '@sluice/contract';
import type { TestContext } from '@sluice/redis/testing';
import { describe, expect, it } from 'vitest';
import { startApi } from '../../apps/api/test/harness.ts';
import { exampleOf } from '../../packages/contract/src/examples/index.ts';
import { type Answer, HttpClient } from './http-client.ts';
import { HALF_SURROGATES, OTHER_TYPES, POISON_IDS } from './poison.ts';

const all: readonly RouteDeclaration[] = Object.values(routes);
/** Where a caller's own JSON goes in, and where it comes out again. */
const ROUND_TRIPS: readonly {
  put: [string, string];
  around: [string, string];
  get: string;
  member: string;
}[] = [
  {
    put: ['PUT', '/api/v2/redis/held?upsert=true'],
    around: ['{"value":', '}'],
    get: '/api/v2/redis/held',
    member: '"value":',
  },
  {
    put: ['POST', '/api/v2/redis'],
    around: ['{"resource":[{"key":"listed","value":', '}]}'],
    get: '/api/v2/redis/listed',
    member: '"value":',
  },
  {
    put: ['POST', '/api/v2/queues/held/jobs'],
    around: ['{"name":"a","data":', '}'],
    get: '',
    member: '"data":',
  },
];
/** Letter by letter the same when it comes back. */
const CARRIED: Readonly<Record<string, string>> = {
  'ten deep': `${'['.repeat(10)}1${']'.repeat(10)}`,
  'nine hundred deep': `${'['.repeat(900)}${']'.repeat(900)}`,
  'a name twice': '{"a":1,"a":2,"__proto__":{"b":1},"constructor":3}',
  'half a surrogate': '"\\ud800 and \\udfff"',
  'large numbers': '[9007199254740993,1e400,-0,0.1e-400,123456789012345678901234567890]',
  'ten thousand names': `{${Array.from({ length: 10_000 }, (_, at) => `"n${at}":${at}`).join(',')}}`,
  'spellings of one text': '"\\u00e9\\/\\u0000é"',
  'a mark at its beginning': '"\ufeff"',
};
/** Refused. */
const BROKEN: Readonly<Record<string, Buffer>> = {
  'two thousand deep': Buffer.from(`${'['.repeat(2_000)}${']'.repeat(2_000)}`),
  'a hundred thousand deep': Buffer.from('['.repeat(100_000)),
  'a million deep': Buffer.from('{"a":'.repeat(180_000)),
  'a byte order mark': Buffer.from('\ufeff{"name":"a","data":1,"key":"a","value":1}'),
  'no UTF-8': Buffer.concat([Buffer.from('{"name":"'), Buffer.from([0xc3, 0x28, 0xff]), Buffer.from('"}')]),
  'UTF-16': Buffer.from('{"name":"a"}', 'utf16le'),
  'half a text': Buffer.from('{"name":"a'),
  'a bare control character': Buffer.from('{"name":"a\n"}'),
  'two values': Buffer.from('{} {}'),
  'a comma too many': Buffer.from('{"name":"a",}'),
  'a number of a kind': Buffer.from('[NaN,Infinity,0x1,01,.5]'),
};
/** Many times what each takes, on a machine that does other things. */
const MAX_MS = 2_000;

interface Caller {
  send(method: string, target: string, body?: string | Buffer): Promise<Answer>;
}

async function open(t: TestContext): Promise<Caller> {
  const api = await startApi(t);
  const client = new HttpClient(api.url);
  t.onTestFinished(() => client.close());
  const headers = { 'X-DreamFactory-API-Key': api.key, 'Content-Type': 'application/json' };
  return { send: (method, target, body) => client.send({ method, target, body, headers }) };
}

describe('JSON at its edges', () => {
  it.for(Object.entries(CARRIED))('comes back as it was written: %s', async ([, text], t) => {
    const client = await open(t);
    for (const { put, around, get, member } of ROUND_TRIPS) {
      const stored = await client.send(...put, around.join(text));
      const { id } = JSON.parse(stored.text) as { id?: string };
      const read = await client.send('GET', get || `/api/v2/queues/held/jobs/${id}`);

      expect([put, stored.status < 300, read.status]).toEqual([put, true, 200]);
      expect(read.text.includes(`${member}${text}`)).toBe(true);
      expect(stored.durationMs).toBeLessThan(MAX_MS);
    }
  });

  it.for(Object.entries(BROKEN))('is refused by every route that takes a body: %s', async ([, bytes], t) => {
    const client = await open(t);
    for (const { id, method, path, body } of all) {
      if (!body) continue;
      const answer = await client.send(method.toUpperCase(), path.replace(/\{\w+\}/g, 'redis'), bytes);

      expect([id, answer.status]).toEqual([id, 400]);
      expect(answer.durationMs).toBeLessThan(MAX_MS);
    }
  });
});

describe('ids that broke other systems', () => {
  it('are refused or kept as they are, in every place of every path', async (t) => {
    const client = await open(t);
    await client.send('PUT', '/api/v2/redis/canary?upsert=true', '{"value":"sings"}');
    const faults: unknown[] = [];
    for (const { id, method, path } of all.filter((route) => route.path.includes('{') && !route.isLongPoll)) {
      for (const poison of POISON_IDS) {
        const target = path.replace(/\{(\w+)\}/g, (_, name: string) =>
          name === 'service' ? 'redis' : encodeURIComponent(poison),
        );
        const body = JSON.stringify(exampleOf(id)?.body ?? {});
        const answer = await client.send(method.toUpperCase(), target, method === 'get' ? undefined : body);
        // Sent as it is: `PUT /redis/` and `DELETE /redis/` are other routes, and a flush is no fault.
        if (answer.status >= 500) faults.push([id, poison, answer.status, answer.text.slice(0, 200)]);
        if (poison === '' && path.endsWith('{key}')) {
          await client.send('PUT', '/api/v2/redis/canary?upsert=true', '{"value":"sings"}');
        }
      }
    }

    expect(faults).toEqual([]);
    expect((await client.send('GET', '/api/v2/redis/canary')).text).toBe('{"key":"canary","value":"sings"}');
  }, 120_000);

  it('are refused or kept in every text of every body', async (t) => {
    const client = await open(t);
    const faults: unknown[] = [];
    const poisons = [...POISON_IDS, ...HALF_SURROGATES, 'x'.repeat(65_536), ...OTHER_TYPES];
    for (const { id, method, path, isLongPoll } of all) {
      const example = exampleOf(id)?.body;
      if (isLongPoll || typeof example !== 'object' || example === null || path.includes('/system/limit'))
        continue;
      for (const member of Object.keys(example)) {
        for (const poison of poisons) {
          const body = JSON.stringify({ ...example, [member]: poison });
          const target = path.replace('{service}', 'redis').replace(/\{\w+\}/g, 'poisoned');
          const answer = await client.send(method.toUpperCase(), target, body);
          if (answer.status >= 500)
            faults.push([id, member, poison, answer.status, answer.text.slice(0, 200)]);
        }
      }
    }

    expect(faults).toEqual([]);
  }, 120_000);
});
