import { describe, expect, it, type TestContext } from 'vitest';
import { startApi, type TestApi } from './harness.ts';

const QUEUE = '/api/v2/queues/work';

interface TakenLease {
  lease: string;
  job: { id: string; name: string; data: unknown };
  attempt: number;
  expires_at: string;
}

async function setup(t: TestContext, variables: Record<string, string> = {}) {
  const api = await startApi(t, { LEASE_CHECK_SECONDS: '1', ...variables });
  return { api, ...callsOf(api) };
}

function callsOf(api: TestApi) {
  const post = async (path: string, json: unknown = {}, key?: string) => {
    const answer = await api.call(path, { method: 'POST', json, ...(key !== undefined && { key }) });
    return { status: answer.status, body: JSON.parse(await answer.text()) };
  };
  return {
    post,
    enqueue: async (name = 'n', opts = {}): Promise<string> =>
      (await post(`${QUEUE}/jobs`, { name, data: { name }, opts })).body.id,
    take: async (body: object = {}, key?: string): Promise<TakenLease[]> =>
      (await post(`${QUEUE}/leases`, body, key)).body.resource,
    on: (lease: string, verb: string, json?: unknown, key?: string) =>
      post(`/api/v2/leases/${lease}/${verb}`, json, key),
    job: async (id: string) => JSON.parse(await (await api.call(`${QUEUE}/jobs/${id}`)).text()),
    /** Resolves when so many requests wait for jobs. */
    untilWaiting: (count: number) =>
      expect
        .poll(
          async () => (await (await api.call('/metrics')).text()).match(/^sluice_lease_waits (\d+)/m)?.[1],
        )
        .toBe(String(count)),
  };
}

describe('leases over HTTP', () => {
  it('takes a job, keeps it, tells of it and completes it', async (t) => {
    const { enqueue, take, on, job, post } = await setup(t);
    const id = await enqueue('resize');

    const [taken] = await take({ lease_ms: 10_000 });
    expect(taken).toEqual({
      lease: expect.stringMatching(/^[\w-]+$/),
      job: {
        id,
        queue: 'work',
        name: 'resize',
        data: { name: 'resize' },
        max_attempts: 1,
        timeout: null,
        created_at: expect.any(String),
        parent: null,
        scheduler: null,
      },
      attempt: 1,
      expires_at: expect.any(String),
    });
    const { lease } = taken as TakenLease;
    expect(await on(lease, 'heartbeat')).toEqual({
      status: 200,
      body: { expires_at: expect.any(String), cancel: false },
    });
    expect(await on(lease, 'progress', { progress: { half: true } })).toMatchObject({ status: 200 });
    expect(await on(lease, 'logs', { lines: ['a', 'b'] })).toEqual({
      status: 200,
      body: { success: true, count: 2 },
    });

    const completed = { status: 200, body: { id, queue: 'work', state: 'completed' } };
    expect(await on(lease, 'complete', { result: { width: 10 } })).toEqual(completed);
    expect(await on(lease, 'complete', { result: { width: 10 } })).toEqual(completed);
    expect(await on(lease, 'complete', { result: { width: 11 } })).toMatchObject({
      status: 409,
      body: { error: { context: { reason: 'lease_lost' } } },
    });
    expect(await job(id)).toMatchObject({
      state: 'completed',
      result: { width: 10 },
      progress: { half: true },
    });
    expect((await post(`${QUEUE}/leases`, {})).body).toEqual({ resource: [] });
  });

  it('fails for good and for another attempt, and gives back', async (t) => {
    const { enqueue, take, on, job } = await setup(t);
    const id = await enqueue('n', { attempts: 2 });

    const [first] = await take();
    expect((await on(first?.lease as string, 'release')).body.state).toBe('waiting');
    const [second] = await take();
    const failed = await on(second?.lease as string, 'fail', { error: { message: 'E', name: 'Err' } });
    expect(failed.body).toEqual({ id, queue: 'work', state: 'waiting' });
    const [third] = await take();
    expect(third?.attempt).toBe(2);
    expect((await on(third?.lease as string, 'fail', { error: 'gone', retryable: false })).body.state).toBe(
      'failed',
    );

    expect(await job(id)).toMatchObject({ state: 'failed', error: { code: 'fatal', message: 'gone' } });
  });

  it('waits for a job, one after the other in the order of their asking', async (t) => {
    const { enqueue, take, untilWaiting } = await setup(t);
    const waiting: Promise<TakenLease[]>[] = [];
    for (let n = 1; n <= 3; n += 1) {
      waiting.push(take({ wait: 20 }));
      await untilWaiting(n);
    }

    const ids: string[] = [];
    for (let n = 1; n <= 3; n += 1) {
      ids.push(await enqueue());
      await untilWaiting(3 - n);
    }

    const taken = await Promise.all(waiting);
    expect(taken.map((leases) => leases.map(({ job }) => job.id))).toEqual(ids.map((id) => [id]));
  });

  it('gives nothing to a client that hung up, and loses nothing by it', async (t) => {
    const { api, enqueue, take, job, untilWaiting } = await setup(t);
    const gone = new AbortController();
    const first = api
      .call(`${QUEUE}/leases`, { method: 'POST', json: { wait: 20 }, signal: gone.signal })
      .catch((error: Error) => error.name);
    await untilWaiting(1);
    const second = take({ wait: 20 });
    await untilWaiting(2);

    gone.abort();
    expect(await first).toBe('AbortError');
    await untilWaiting(1);
    const id = await enqueue();

    expect((await second).map(({ job: { id: taken } }) => taken)).toEqual([id]);
    expect(await job(id)).toMatchObject({ state: 'active', attempts: { started: 1, lost: 0 } });
  });

  it('completes a batch, and nothing of one that holds a lease of another key', async (t) => {
    const { api, enqueue, take, post } = await setup(t);
    for (let n = 0; n < 3; n += 1) await enqueue();
    const other = await api.makeKey(['jobs:consume:work']);
    const [foreign] = await take({}, other);
    const own = await take({ count: 2 });
    const items = [...own, foreign as TakenLease].map(({ lease }, result) => ({ lease, result }));

    const refused = await post('/api/v2/leases/complete', { resource: items });
    expect(refused).toMatchObject({
      status: 400,
      body: {
        error: {
          code: 1000,
          context: {
            error: [0, 1, 2],
            resource: [
              { success: false, error: { context: { reason: 'batch_refused' } } },
              { success: false },
              { success: false, error: { context: { reason: 'lease_refused' } } },
            ],
          },
        },
      },
    });
    const partly = await post('/api/v2/leases/complete?continue=true', { resource: items });
    expect(partly.body.error.context).toMatchObject({
      error: [2],
      resource: [{ state: 'completed', success: true }, { success: true }, { success: false }],
    });
    const whole = await post('/api/v2/leases/complete', { resource: items.slice(0, 2) });
    expect(whole).toMatchObject({
      status: 200,
      body: { resource: [{ queue: 'work', state: 'completed', success: true }, { success: true }] },
    });
  });

  it('refuses leases of another key and forged ones with 403, and a key without the right to the queue', async (t) => {
    const { api, enqueue, take, on, job } = await setup(t);
    const id = await enqueue();
    const owner = await api.makeKey(['jobs:consume:work']);
    const stranger = await api.makeKey(['jobs:consume:*']);
    const [taken] = await take({ lease_ms: 60_000 }, owner);
    const { lease } = taken as TakenLease;
    const forged = `${lease.startsWith('A') ? 'B' : 'A'}${lease.slice(1)}`;
    const calls: [string, unknown][] = [
      ['heartbeat', {}],
      ['complete', { result: 1 }],
      ['fail', { error: 'x' }],
      ['release', {}],
      ['progress', { progress: 1 }],
      ['logs', { lines: ['x'] }],
    ];

    for (const [verb, body] of calls) {
      for (const [text, key] of [
        [lease, stranger],
        [forged, owner],
        ['0', owner],
      ] as const) {
        expect([verb, await on(text, verb, body, key)]).toMatchObject([
          verb,
          { status: 403, body: { error: { context: { reason: 'lease_refused' } } } },
        ]);
      }
    }
    expect(
      (
        await api.call(`${QUEUE}/leases`, {
          method: 'POST',
          json: {},
          key: await api.makeKey(['jobs:consume:other']),
        })
      ).status,
    ).toBe(403);
    expect(await job(id)).toMatchObject({ state: 'active', progress: null, attempts: { made: 0 } });
    expect((await on(lease, 'complete', {}, owner)).status).toBe(200);
  });

  it('tells of a cancel by heartbeat', async (t) => {
    const { enqueue, take, on, post, job } = await setup(t);
    const id = await enqueue();
    const [taken] = await take();
    await post(`${QUEUE}/jobs/${id}/cancel`);

    expect((await on(taken?.lease as string, 'heartbeat')).body.cancel).toBe(true);
    expect((await on(taken?.lease as string, 'complete', { result: 1 })).body.state).toBe('cancelled');
    expect(await job(id)).toMatchObject({ state: 'cancelled', result: null });
  });

  it('hands a job out again when nothing more is heard of its lease', async (t) => {
    const { enqueue, take, on } = await setup(t);
    const id = await enqueue();
    const [lost] = await take({ lease_ms: 1_000 });
    const takenAt = Date.now();

    const [again] = await take({ wait: 10 });

    expect(again?.job.id).toBe(id);
    expect(Date.now() - takenAt).toBeLessThan(1_000 + 2 * 1_000);
    expect((await on(lost?.lease as string, 'complete')).status).toBe(409);
  });

  it('refuses bounds it does not keep', async (t) => {
    const { post } = await setup(t);
    for (const body of [{ count: 0 }, { count: 101 }, { lease_ms: 999 }, { wait: 31 }, { size: 1 }])
      expect((await post(`${QUEUE}/leases`, body)).status).toBe(400);
  });
});

describe('two replicas', () => {
  it('serve each other’s leases, and one hands out what the other lost', async (t) => {
    const secret = { SLUICE_SECRET: 'x'.repeat(40), LEASE_CHECK_SECONDS: '1' };
    const one = await startApi(t, secret);
    const two = await startApi(t, { ...secret, REDIS_PREFIX: one.redis.prefix });
    const [first, second] = [callsOf(one), callsOf(two)];
    const id = await first.enqueue();

    const [taken] = await first.take();
    expect((await second.on(taken?.lease as string, 'heartbeat')).status).toBe(200);
    expect((await second.on(taken?.lease as string, 'complete', { result: 1 })).status).toBe(200);
    expect((await first.on(taken?.lease as string, 'complete', { result: 1 })).status).toBe(200);
    expect((await second.job(id)).state).toBe('completed');

    const waiting = second.take({ wait: 10 });
    const later = await first.enqueue();
    expect((await waiting).map(({ job: { id: found } }) => found)).toEqual([later]);
  });
});
