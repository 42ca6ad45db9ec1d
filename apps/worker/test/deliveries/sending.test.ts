import { randomBytes } from 'node:crypto';
import { DELIVERY_QUEUE, type NewDelivery } from '@sluice/delivery';
import { scanKeys } from '@sluice/redis';
import { JsonText } from '@sluice/runtime';
import { describe, expect, it, vi } from 'vitest';
import { receiver, setup, verify } from './setup.ts';

/** Of an endpoint without a URL, told when it is made. */
const NAME = 'partner';

describe('a delivery', () => {
  it('arrives as it was asked for, signed so that the package of Standard Webhooks accepts it', async (t) => {
    const { endpoints, send, ended } = await setup(t);
    const { secret = '' } = await endpoints.put(NAME, {});
    const { url, first } = await receiver(t);

    const id = await send({
      url,
      endpoint: NAME,
      method: 'PUT',
      headers: { Authorization: 'Bearer t', 'X-Trace': 'a' },
      body: new JsonText('{"n": 12345678901234567890, "a":1.0}'),
    });

    const [request] = await first(1);
    expect(request).toMatchObject({
      method: 'PUT',
      path: '/hook',
      // To the byte: parsed and written again it would be another number, and the signature another one too.
      body: '{"n": 12345678901234567890, "a":1.0}',
      headers: {
        'content-type': 'application/json',
        authorization: 'Bearer t',
        'x-trace': 'a',
        'user-agent': 'Sluice',
        'sluice-attempt': '1',
        'webhook-id': id,
      },
    });
    if (!request) return;
    verify(secret, request);
    expect(Math.abs(Number(request.headers['webhook-timestamp']) - Date.now() / 1_000)).toBeLessThan(5);
    expect(() => verify(secret, { ...request, body: `${request.body} ` })).toThrow('No matching signature');
    expect(await ended(id)).toMatchObject({ state: 'completed', attempts: { made: 1, max: 10 } });
  });

  it('carries text, JSON, null and nothing, each with its type, and signs each', async (t) => {
    const { endpoints, send } = await setup(t);
    const { secret = '' } = await endpoints.put(NAME, {});
    const bodies: [NewDelivery['body'], string, string | undefined][] = [
      ['a "b"\n é', 'a "b"\n é', 'text/plain; charset=utf-8'],
      ['', '', 'text/plain; charset=utf-8'],
      [null, 'null', 'application/json'],
      [[1, { a: 'é' }], '[1,{"a":"é"}]', 'application/json'],
      [undefined, '', undefined],
    ];
    for (const [body, sent, type] of bodies) {
      const { url, first } = await receiver(t);
      await send({ url, endpoint: NAME, body });

      const [request] = await first(1);
      expect([request?.body, request?.headers['content-type']]).toEqual([sent, type]);
      if (request) verify(secret, request);
    }
  });

  it('keeps the content type it is given', async (t) => {
    const { send } = await setup(t);
    const { url, first } = await receiver(t);

    await send({ url, headers: { 'CONTENT-TYPE': 'application/xml' }, body: '<a/>' });

    expect((await first(1))[0]?.headers['content-type']).toBe('application/xml');
  });

  it('goes out by any method that is not about the connection', async (t) => {
    const { send, ended } = await setup(t);
    for (const method of ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'REPORT']) {
      const { url, first } = await receiver(t);
      const id = await send({ url, method });

      expect((await first(1))[0]?.method).toBe(method);
      expect((await ended(id)).state).toBe('completed');
    }
  });

  it('is signed by the endpoint default when it names none', async (t) => {
    const { endpoints, send } = await setup(t);
    const { url, first } = await receiver(t);
    await send({ url, body: 1 });
    const [request] = await first(1);

    const { secret } = await endpoints.rotate('default');
    await send({ url, body: 2 });
    const [, next] = await first(2);

    expect(String(request?.headers['webhook-signature']).split(' ')).toHaveLength(1);
    if (next) verify(secret, next);
    // The secret before signs beside it.
    expect(String(next?.headers['webhook-signature']).split(' ')).toHaveLength(2);
  });

  it('is unsigned only when that is asked for', async (t) => {
    const { send } = await setup(t);
    const { url, first } = await receiver(t);

    const id = await send({ url, sign: false, body: 1 });

    const [request] = await first(1);
    expect(request?.headers['webhook-id']).toBe(id);
    expect(request?.headers['webhook-signature']).toBeUndefined();
  });

  it('has the id of its job and a new time at each attempt', async (t) => {
    const { endpoints, send, ended } = await setup(t);
    const { secret = '' } = await endpoints.put(NAME, {});
    const { url, first } = await receiver(t, (response, before) => {
      response.statusCode = before < 2 ? 500 : 200;
      response.end();
    });

    const id = await send({ url, endpoint: NAME, body: 1, schedule: [0, 1_100, 10] });

    const requests = await first(3);
    for (const request of requests) verify(secret, request);
    expect(requests.map(({ headers }) => headers['webhook-id'])).toEqual([id, id, id]);
    expect(requests.map(({ headers }) => headers['sluice-attempt'])).toEqual(['1', '2', '3']);
    const [one, two] = requests.map(({ headers }) => Number(headers['webhook-timestamp']));
    expect(two).toBeGreaterThan(one as number);
    expect((await ended(id)).attempts).toMatchObject({ made: 3, started: 3 });
  });

  it('is not sent when its job was not made by the door', async (t) => {
    const { jobs, job, ended } = await setup(t);
    const { url, connections } = await receiver(t);
    const { data } = await job({ url, body: 1 });
    const forged = [
      { ...data, body: '2' },
      { ...data, url: `${url}/else` },
      { ...data, proof: undefined },
      { ...data, proof: '' },
      { url, method: 'POST' },
      {},
    ];
    for (const each of forged) {
      const { id } = await jobs.enqueue(DELIVERY_QUEUE, { name: 'delivery', data: each });

      expect((await ended(id)).error).toEqual({
        code: 'fatal',
        message: 'this is not as POST /deliveries has made it, and is not sent',
      });
    }
    expect(connections()).toBe(0);
  });

  it('waits for its next attempt when the worker has another master secret, and says so', async (t) => {
    const { endpoints, targets, send, jobs } = await setup(t, {
      workerMaster: randomBytes(32),
      queues: ['orders'],
    });
    const { url, connections } = await receiver(t);
    await endpoints.put(NAME, {});
    await targets.put('orders', { url, endpoint: NAME });

    const delivery = await send({ url, endpoint: NAME });
    const { id: order } = await jobs.enqueue('orders', { name: 'a' });

    for (const [queue, id] of [
      [DELIVERY_QUEUE, delivery],
      ['orders', order],
    ] as const) {
      await vi.waitFor(async () =>
        expect(await jobs.get(queue, id)).toMatchObject({
          state: 'delayed',
          error: { code: 'error', message: expect.stringContaining('does not open with this master secret') },
        }),
      );
    }
    expect(connections()).toBe(0);
  });

  it('is on its way at once: nothing polls', async (t) => {
    const { send } = await setup(t);
    const { url, first, received } = await receiver(t);
    await send({ url, body: 0 });
    await first(1);
    const tookMs: number[] = [];
    for (let n = 1; n <= 20; n += 1) {
      const startedAt = performance.now();
      await send({ url, body: n });
      await first(n + 1);
      tookMs.push((received[n]?.at ?? 0) - startedAt);
    }

    // Some milliseconds, on a machine with nothing else to do.
    expect(tookMs.toSorted((a, b) => a - b)[5]).toBeLessThan(100);
  });
});

describe('an endpoint', () => {
  it('is signed with both secrets while they overlap, and with the new one alone after', async (t) => {
    const { endpoints, send } = await setup(t);
    const { secret: old = '' } = await endpoints.put(NAME, {});
    const { secret } = await endpoints.rotate(NAME, { overlap: 60 });
    const { url, first } = await receiver(t);
    await send({ url, endpoint: NAME, body: 1 });
    const [both] = await first(1);
    const { secret: last } = await endpoints.rotate(NAME, { overlap: 0 });
    await send({ url, endpoint: NAME, body: 2 });
    const [, alone] = await first(2);
    if (!both || !alone) return;

    verify(old, both);
    verify(secret, both);
    verify(last, alone);
    expect(String(both.headers['webhook-signature']).split(' ')).toHaveLength(2);
    expect(String(alone.headers['webhook-signature']).split(' ')).toHaveLength(1);
    expect(() => verify(secret, alone)).toThrow('No matching signature');
  });

  it('gives deliveries its URL, headers and schedule, and a delivery goes before it', async (t) => {
    const { endpoints, send, job } = await setup(t);
    const { url, port, first } = await receiver(t);
    await endpoints.put(NAME, {
      url,
      headers: { Authorization: 'Bearer sealed', 'X-A': 'endpoint' },
      schedule: [0, '7s'],
      timeout: 3_000,
    });

    await send({ endpoint: NAME, headers: { 'x-a': 'own' } });
    await send({ endpoint: NAME, url: '/other?q=1' });
    const { data } = await job({ endpoint: NAME });

    const [one, two] = await first(2);
    expect([one?.path, two?.path].sort()).toEqual(['/hook', '/other?q=1']);
    for (const request of [one, two]) expect(request?.headers.authorization).toBe('Bearer sealed');
    expect([one, two].find((each) => each?.path === '/hook')?.headers['x-a']).toBe('own');
    expect(data).toMatchObject({ schedule: [0, 7_000], timeout: 3_000 });
    await expect(job({ endpoint: NAME, url: 'http://127.0.0.1:1/hook' })).rejects.toMatchObject({
      code: 'delivery_invalid',
      message: `the url leads to http://127.0.0.1:1, and its endpoint is at http://127.0.0.1:${port}`,
    });
  });

  it('that was removed fails what waits for it', async (t) => {
    const { endpoints, send, ended, jobs } = await setup(t);
    const { url, connections } = await receiver(t);
    await endpoints.put(NAME, {});
    const id = await send({ url, endpoint: NAME, delay: 60_000 });
    await endpoints.remove(NAME);

    await jobs.promote(DELIVERY_QUEUE, id);

    expect((await ended(id)).error).toEqual({
      code: 'fatal',
      message: `there is no endpoint '${NAME}' any more`,
    });
    expect(connections()).toBe(0);
  });

  it('tells its secrets and headers to nobody: not to Redis, not to logs, not to jobs', async (t) => {
    const { endpoints, send, redis, logged, ended, jobs } = await setup(t);
    const { url, first } = await receiver(t);
    const given = `whsec_${Buffer.from('a secret of 32 bytes, well known').toString('base64')}`;
    await endpoints.put(NAME, { url, secret: given, headers: { Authorization: 'Bearer very-secret-token' } });
    const { secret: made } = await endpoints.rotate(NAME);
    const id = await send({ endpoint: NAME, body: 1 });
    const [request] = await first(1);
    if (request) verify(given, request);
    await ended(id);

    const stored = [JSON.stringify(await jobs.get('deliveries', id)), logged()];
    for await (const page of scanKeys(redis.client, redis.keys.prefix)) {
      for (const key of page) {
        stored.push(key, (await redis.client.dumpBuffer(key))?.toString('latin1') ?? '');
        // A dump may be compressed.
        if ((await redis.client.type(key)) === 'hash')
          stored.push(JSON.stringify(await redis.client.hgetall(key)));
      }
    }
    const everything = stored.join('\n');
    expect(everything).toContain(NAME);
    for (const secret of [given, made]) {
      const bytes = Buffer.from(secret.slice('whsec_'.length), 'base64');
      for (const form of ['base64', 'base64url', 'hex', 'latin1'] as const)
        expect(everything).not.toContain(bytes.toString(form));
    }
    expect(everything).not.toContain('very-secret-token');
    expect(JSON.stringify([await endpoints.get(NAME), await endpoints.list({ limit: 10 })])).not.toMatch(
      /whsec|sealed|very-secret/,
    );
  });
});
