import { type RouteDeclaration, routes } from '@sluice/contract';
import { afterAll, describe, expect, it, vi } from 'vitest';
import { startApi, type TestApi } from '../../apps/api/test/harness.ts';
import { exampleOf } from '../../packages/contract/src/examples/index.ts';
import { HttpClient, type Sent } from './http-client.ts';
import { type Caller, scoped, strangers } from './principals.ts';

const all: readonly RouteDeclaration[] = Object.values(routes);
const guarded = all.filter(({ access }) => access !== 'public');
const IN_FLIGHT = 8;
/** In the hash of keys, beside each: the minute in which it was last used. */
const LAST_USED = /^@used:/;
/** In the data of everything that a probe could read. */
const SECRET = 'hidden-from-those-without-the-right';
/** A value for each path parameter; what it names is there. */
const NAMES: Readonly<Record<string, string>> = { service: 'redis', key: 'held', queue: 'held', id: 'held' };

let probes = 0;
afterAll(() => console.log(`authorisation: ${probes} probes of ${all.length} routes`));

/** The request of a route's example, about what is there, and the same without body and query. */
function requestsOf(declaration: RouteDeclaration, headers: Readonly<Record<string, string>>): Sent[] {
  const example = exampleOf(declaration.id);
  const target = declaration.path.replace(/\{(\w+)\}/g, (_, name: string) => NAMES[name] ?? 'held');
  const method = declaration.method.toUpperCase();
  const query = new URLSearchParams(
    Object.entries(example?.query ?? {}).map(([name, value]) => [name, String(value)] as [string, string]),
  );
  return [
    {
      method,
      target: query.size > 0 ? `${target}?${query}` : target,
      headers: { 'Content-Type': 'application/json', ...example?.headers, ...headers },
      body: declaration.body && JSON.stringify(example?.body ?? {}),
    },
    { method, target, headers: { ...headers } },
  ];
}

interface Probe {
  declaration: RouteDeclaration;
  caller: Caller;
  sent: Sent;
}

function matrix(declarations: readonly RouteDeclaration[], callers: readonly Caller[]): Probe[] {
  return declarations.flatMap((declaration) =>
    callers.flatMap((caller) =>
      requestsOf(declaration, caller.headers).map((sent) => ({ declaration, caller, sent })),
    ),
  );
}

/** What each probe got that it should not have, as sentences. */
async function probe(
  url: string,
  list: readonly Probe[],
  judge: (probe: Probe, answer: { status: number; text: string }) => string | undefined,
): Promise<string[]> {
  const client = new HttpClient(url);
  const faults: string[] = [];
  const left = [...list];
  const lane = async () => {
    for (let next = left.pop(); next; next = left.pop()) {
      probes += 1;
      const answer = await client.send(next.sent);
      const fault = judge(next, answer);
      if (fault) faults.push(`${next.declaration.id} for ${next.caller.name}: ${fault}`);
    }
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, lane));
  client.close();
  return faults;
}

/** A value, a job, a policy, a channel's message, a session and an endpoint, all with the secret in them. */
async function plant(api: TestApi): Promise<void> {
  const post = (path: string, json: unknown, method = 'POST') => api.call(`/api/v2${path}`, { method, json });
  const planted = await Promise.all([
    post('/redis', { key: 'held', value: SECRET }),
    post('/queues/held/jobs', { name: 'held', data: { SECRET } }),
    post('/system/limit', { name: 'held', limit: 100, period: 'hour' }),
    post('/channels/held', { message: SECRET, keep: {} }),
    post('/sessions', { user_id: 'held', data: { SECRET } }),
    post('/deliveries/endpoints/held', { url: `https://${SECRET}.example.com/` }, 'PUT'),
    post('/queues/held/schedulers/held', { schedule: { every: 86_400_000 }, name: SECRET }, 'PUT'),
  ]);
  expect(planted.map(({ ok }) => ok)).not.toContain(false);
}

/** Everything in Redis but what changes by itself: tallies of limits, when a key was last used. */
async function contents({ redis: { client, allKeys } }: TestApi): Promise<Record<string, unknown>> {
  const found: Record<string, unknown> = {};
  for (const name of await allKeys()) {
    if (/:limits?:|:rl/.test(name)) continue;
    if ((await client.type(name)) === 'hash') {
      const fields = Object.entries(await client.hgetall(name));
      found[name] = Object.fromEntries(fields.filter(([field]) => !LAST_USED.test(field)).sort());
    } else found[name] = (await client.dumpBuffer(name))?.toString('base64');
  }
  return found;
}

/** The door lets this caller pass; where the right is to one resource, the probes' own. */
function isLetIn({ access }: RouteDeclaration, { grants }: Caller): boolean {
  if (!grants || access === 'public') return access === 'public';
  if (access === 'key') return true;
  return access.resource
    ? grants.allows(access.area, access.verb as never, access.resource.map(() => 'held').join('/'))
    : grants.allowsSome(access.area, access.verb as never);
}

describe('every route and every kind of caller', () => {
  it('answers 401 to whoever is nobody, and changes nothing', async (t) => {
    const api = await startApi(t);
    await plant(api);
    const callers = await strangers(api);
    await vi.waitFor(
      async () => {
        for (const { headers } of callers) {
          expect((await fetch(`${api.url}/metrics`, { headers: { ...headers } })).status).toBe(401);
        }
      },
      { timeout: 10_000, interval: 100 },
    );
    const before = await contents(api);

    const faults = await probe(api.url, matrix(guarded, callers), (_, { status, text }) => {
      if (text.includes(SECRET)) return `tells the secret with ${status}`;
      return status === 401 ? undefined : `${status} instead of 401`;
    });

    expect(faults).toEqual([]);
    expect(await contents(api)).toEqual(before);
  }, 90_000);

  it('answers 403 to a key without the scope, and changes nothing', async (t) => {
    const api = await startApi(t);
    await plant(api);
    const callers = await scoped(api);
    const refused = matrix(guarded, callers).filter(
      ({ declaration, caller }) => !isLetIn(declaration, caller),
    );
    const before = await contents(api);

    const faults = await probe(api.url, refused, (_, { status, text }) => {
      if (text.includes(SECRET)) return `tells the secret with ${status}`;
      return status === 403 ? undefined : `${status} instead of 403`;
    });

    expect(faults).toEqual([]);
    expect(await contents(api)).toEqual(before);
  }, 90_000);

  it('tells a key with the scope for something else nothing, and changes nothing', async (t) => {
    const api = await startApi(t);
    await plant(api);
    const callers = (await scoped(api)).filter(({ name }) => name.includes('elsewhere'));
    const letIn = matrix(guarded, callers).filter(({ declaration, caller }) => isLetIn(declaration, caller));
    const before = await contents(api);

    const faults = await probe(api.url, letIn, (_, { status, text }) =>
      text.includes(SECRET) ? `tells the secret with ${status}` : undefined,
    );

    expect(letIn.length).toBeGreaterThan(20);
    expect(faults).toEqual([]);
    expect(await contents(api)).toEqual(before);
  }, 90_000);

  it('lets everybody with the scope in', async (t) => {
    const api = await startApi(t);
    const callers = await scoped(api);
    const letIn = matrix(guarded, callers)
      .filter(({ declaration, caller }) => isLetIn(declaration, caller) && !caller.name.includes('elsewhere'))
      // A wait and a stream are let in as everybody else, and take their time.
      .filter(({ declaration }) => !declaration.isLongPoll);

    const faults = await probe(api.url, letIn, ({ declaration }, { status }) =>
      status === 401 && !declaration.errors?.includes('session_token_invalid') ? `${status}` : undefined,
    );

    expect(faults).toEqual([]);
  }, 90_000);
});
