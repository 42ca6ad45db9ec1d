import { describe, expect, it, vi } from 'vitest';
import { startApi, type TestApi } from './harness.ts';

const PATH = '/api/v2/system/limit';
const within2s = { timeout: 2_000, interval: 20 };
const MAIL = { name: 'mail', algorithm: 'fixed', limit: 2, period: 'hour' };

const post = (api: TestApi, json: unknown) => api.call(PATH, { method: 'POST', json });
const consume = async (api: TestApi, key: string) =>
  (await (await api.call('/api/v2/limits/mail/consume', { method: 'POST', json: { key } })).json()) as {
    allowed?: boolean;
    limit?: number;
    remaining?: number;
  };

async function reasonOf(answer: Response): Promise<unknown> {
  const body = (await answer.json()) as { error: { context: { reason: string } } };
  return [answer.status, body.error.context.reason];
}

async function startTwo(t: Parameters<typeof startApi>[0]) {
  const SLUICE_SECRET = 'one secret of the whole installation';
  const first = await startApi(t, { SLUICE_SECRET });
  const second = await startApi(t, { SLUICE_SECRET, REDIS_PREFIX: first.redis.prefix });
  return { first, second };
}

describe('a limit policy made at run time', () => {
  it('holds, changes and goes on every server within two seconds, and its counts go on', async (t) => {
    const { first, second } = await startTwo(t);

    const made = await post(first, { resource: [MAIL] });
    expect([made.status, await made.json()]).toMatchObject([
      201,
      { resource: [{ ...MAIL, origin: 'system' }] },
    ]);
    await vi.waitFor(async () => expect((await consume(second, 'ada')).limit).toBe(2), within2s);
    expect(await consume(first, 'ada')).toMatchObject({ allowed: true, remaining: 0 });
    expect(await consume(first, 'ada')).toMatchObject({ allowed: false });
    await first.call(`${PATH}/mail`, { method: 'PATCH', json: { limit: 5 } });
    expect(await consume(first, 'ada')).toMatchObject({ allowed: true, limit: 5, remaining: 2 });
    await vi.waitFor(async () => expect((await consume(second, 'other')).limit).toBe(5), within2s);
    await first.call(`${PATH}/mail`, { method: 'DELETE' });
    await vi.waitFor(async () => {
      const answer = await second.call('/api/v2/limits/mail?key=ada');
      expect(await reasonOf(answer)).toEqual([404, 'policy_unknown']);
    }, within2s);
  });

  it('is not made of an empty list, nor of one that is too long', async (t) => {
    const api = await startApi(t);

    const answers = [
      await reasonOf(await post(api, { resource: [] })),
      await reasonOf(await post(api, { resource: Array(101).fill(MAIL) })),
    ];

    expect(answers).toEqual([
      [400, 'input_invalid'],
      [400, 'input_invalid'],
    ]);
  });

  it('may have overrides, be in shadow, and say what happens when its store fails', async (t) => {
    const api = await startApi(t);
    const overrides = [
      { key: 'vip', limit: 'unlimited' },
      { key: 'slow-*', limit: 1 },
    ];

    await post(api, { resource: [{ ...MAIL, overrides, away: 'closed' }] });

    expect(await consume(api, 'vip')).toMatchObject({ allowed: true, limit: null });
    expect(await consume(api, 'slow-1')).toMatchObject({ allowed: true, limit: 1 });
    expect(await consume(api, 'slow-1')).toMatchObject({ allowed: false, limit: 1 });
    await api.call(`${PATH}/mail`, { method: 'PUT', json: { ...MAIL, limit: 0, shadow: true } });
    expect(await consume(api, 'anybody')).toMatchObject({ allowed: true });
    expect(await (await api.call('/metrics')).text()).toMatch(
      /sluice_limit_decisions_total\{policy="mail",outcome="shadow_refused"\} [1-9]/,
    );
  });

  it('bounds requests of the API itself from the next one on', async (t) => {
    const api = await startApi(t);
    const key = await api.makeKey(['cache:read']);
    const get = async () => (await api.call('/api/v2/redis?keys=a', { key })).status;
    expect(await get()).toBe(200);

    const policy = { name: 'reads', limit: 1, period: 'hour', by: ['key'], match: { service: ['redis'] } };
    expect((await post(api, { resource: [policy] })).status).toBe(201);

    expect([await get(), await get()]).toEqual([200, 429]);
    await api.call(`${PATH}/reads`, { method: 'DELETE' });
    expect(await get()).toBe(200);
  });

  it('that refuses everybody can be taken back', async (t) => {
    const api = await startApi(t);
    await post(api, { name: 'nobody', limit: 0, period: 'hour', by: [] });
    const key = await api.makeKey(['system:read']);
    expect((await api.call('/api/v2/redis?keys=a')).status).toBe(429);
    expect((await api.call(PATH, { key })).status).toBe(429);

    expect((await api.call(`${PATH}/nobody`, { method: 'DELETE' })).status).toBe(200);

    expect((await api.call('/api/v2/redis?keys=a')).status).toBe(200);
  });

  it('is one of at most a thousand, those of the configuration included', async (t) => {
    const api = await startApi(t);
    const policies = Array.from({ length: 1_000 }, (_, i) => ({ ...MAIL, name: `p${i}` }));
    const answers: Response[] = [];
    for (let from = 0; from < 1_000; from += 100)
      answers.push(await post(api, { resource: policies.slice(from, from + 100) }));

    expect(answers.slice(0, 9).map(({ status }) => status)).toEqual(Array(9).fill(201));
    expect(await reasonOf(answers[9] as Response)).toEqual([409, 'too_many_records']);
    expect((await api.call('/api/v2/limits/p899?key=a')).status).toBe(200);
  });

  it('lets the tallies of other policies go on', async (t) => {
    const api = await startApi(t, { API_LIMIT_PER_KEY: '1/hour' });
    const key = await api.makeKey(['cache:read']);
    const get = () => api.call('/api/v2/redis?keys=a', { key });
    await get();
    await get();
    const tally = async () =>
      /policy="api-per-key",outcome="refused"\} (\d+)/.exec(
        await (await api.call('/metrics', { key: await api.makeKey(['metrics:read']) })).text(),
      )?.[1];
    const before = await tally();

    await post(api, { resource: [MAIL] });

    expect(Number(before)).toBeGreaterThan(0);
    expect(Number(await tally())).toBeGreaterThanOrEqual(Number(before));
  });

  it('is listed behind those of the configuration, which are read-only', async (t) => {
    const api = await startApi(t);
    await post(api, { resource: [MAIL] });

    const { resource } = (await (await api.call(PATH)).json()) as { resource: { name: string }[] };
    const answers = [
      await post(api, { resource: [{ ...MAIL, name: 'api-per-key' }] }),
      await api.call(`${PATH}/api-per-key`, { method: 'PATCH', json: { limit: 1 } }),
      await api.call(`${PATH}/api-per-key`, { method: 'DELETE' }),
    ];

    expect(resource.map(({ name }) => name)).toEqual([
      'api-per-key',
      'api-per-address',
      'api-refused',
      'mail',
    ]);
    expect(resource[0]).toMatchObject({ origin: 'configuration', mutable: false, deletable: false });
    for (const answer of answers) expect(await reasonOf(answer)).toEqual([409, 'record_read_only']);
  });

  it.for<[string, unknown, string]>([
    ['no limit', { name: 'mail', period: 'hour' }, 'limit'],
    ['no period', { name: 'mail', limit: 1 }, 'period'],
    ['a period nobody knows', { ...MAIL, period: 'fortnight' }, 'period'],
    ['a fact this API does not know', { ...MAIL, by: ['user'] }, 'by'],
    ['a setting nobody knows', { ...MAIL, limits: 1 }, ''],
    ['a name of the quotas', { ...MAIL, name: 'key-quota.day' }, 'name'],
    ['a name that is none', { ...MAIL, name: 'Mail!' }, 'name'],
    [
      'a rate that cannot be counted',
      { name: 'mail', limit: 999_999_937, period: '366d', burst: 999_999_937 },
      '',
    ],
  ])('is not made with %s: 400 says where, and nothing holds', async ([, json, path], t) => {
    const api = await startApi(t);

    const answer = await post(api, { resource: [json] });

    const body = (await answer.json()) as {
      error: { context: { reason: string; issues: { path: string }[] } };
    };
    expect([answer.status, body.error.context.reason]).toEqual([400, 'record_invalid']);
    expect(body.error.context.issues.map((issue) => issue.path)).toContain(path);
    expect((await api.call('/api/v2/limits/mail?key=a')).status).toBe(404);
  });
});
