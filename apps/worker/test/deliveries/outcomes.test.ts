import { createServer } from 'node:net';
import type { TestContext } from '@sluice/redis/testing';
import { describe, expect, it, vi } from 'vitest';
import { receiver, setup } from './setup.ts';

const DELIVERED = [200, 201, 202, 204, 206, 299];
const FINAL = [400, 401, 402, 403, 404, 405, 406, 407, 410, 411, 412, 413, 414, 415, 418, 422, 423, 451, 499];
const TRIED_AGAIN = [
  ...[300, 301, 302, 303, 304, 307, 308, 399],
  ...[408, 409, 425, 429],
  ...[500, 501, 502, 503, 504, 511, 599],
];

/** A server that speaks bytes, for answers no HTTP server would give. */
async function bareServer(t: TestContext, speak: (write: (text: string) => void, end: () => void) => void) {
  let connections = 0;
  const server = createServer((socket) => {
    connections += 1;
    socket.on('error', () => undefined);
    socket.once('data', () =>
      speak(
        (bytes) => void socket.write(bytes),
        () => void socket.end(),
      ),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.onTestFinished(() => void server.close());
  const { port } = server.address() as { port: number };
  return { url: `http://127.0.0.1:${port}/hook`, connections: () => connections };
}

describe('what an answer means', () => {
  it('2xx delivers, 410 and final 4xx end it, 3xx, 408, 409, 425, 429 and 5xx are tried again', async (t) => {
    const { send, ended } = await setup(t);
    const target = await receiver(t, (response, _before, { path }) => {
      response.writeHead(Number(path.slice(1)), { location: 'http://127.0.0.1:1/' });
      response.end();
    });
    const outcome = async (status: number) => {
      const url = `http://127.0.0.1:${target.port}/${status}`;
      const id = await send({ url, schedule: [0, 1, 1] });
      const { state, attempts, error } = await ended(id);
      return [status, state, attempts.made, error?.code ?? null];
    };

    const outcomes = await Promise.all([...DELIVERED, ...FINAL, ...TRIED_AGAIN].map(outcome));

    expect(outcomes).toEqual([
      ...DELIVERED.map((status) => [status, 'completed', 1, null]),
      ...FINAL.map((status) => [status, 'failed', 1, 'fatal']),
      ...TRIED_AGAIN.map((status) => [status, 'failed', 3, 'error']),
    ]);
  }, 30_000);

  it('410 at its own URL ends an endpoint as well, until it is written again', async (t) => {
    const { send, ended, endpoints } = await setup(t);
    const { url, received } = await receiver(t, (response, before) => {
      response.statusCode = before === 0 ? 410 : 200;
      response.end();
    });
    await endpoints.put('partner', { url });
    await endpoints.put('anywhere', {});
    const waiting = await send({ endpoint: 'partner', delay: 400 });
    const id = await send({ endpoint: 'partner' });

    expect((await ended(id)).error).toEqual({ code: 'fatal', message: 'answered 410' });
    await expect(send({ endpoint: 'partner' })).rejects.toMatchObject({ code: 'endpoint_gone' });
    expect((await ended(waiting)).error).toEqual({
      code: 'fatal',
      message: "the receiver of endpoint 'partner' has said 410 Gone",
    });
    expect(received).toHaveLength(1);
    await endpoints.put('partner', { url });
    expect((await ended(await send({ endpoint: 'partner' }))).state).toBe('completed');
    expect((await endpoints.get('anywhere')).goneAt).toBeNull();
  });

  it('does not end an endpoint that stands for many receivers', async (t) => {
    const { send, ended, endpoints } = await setup(t);
    const { url } = await receiver(t, (response) => void response.writeHead(410).end());
    await endpoints.put('anywhere', {});

    await ended(await send({ endpoint: 'anywhere', url }));
    await ended(await send({ url }));

    expect((await endpoints.get('anywhere')).goneAt).toBeNull();
    expect((await endpoints.get('default')).goneAt).toBeNull();
  });

  it('follows no redirect', async (t) => {
    const { send, ended } = await setup(t);
    const elsewhere = await receiver(t);
    const { url } = await receiver(t, (response) =>
      response.writeHead(307, { location: elsewhere.url }).end(),
    );

    const { error } = await ended(await send({ url, schedule: [0] }));

    expect(error).toEqual({ code: 'error', message: 'answered 307' });
    expect(elsewhere.connections()).toBe(0);
  });
});

describe('the next attempt', () => {
  it('comes when the schedule says, give or take its jitter, and no more often', async (t) => {
    const { send, ended, attempts } = await setup(t);
    const { url, received, first } = await receiver(t, (response) => void response.writeHead(500).end());

    const id = await send({ url, schedule: [0, 300, '600ms'], jitter: 0.1 });
    const [one, two, three] = await first(3);
    const job = await ended(id);

    const gaps = [(two?.at ?? 0) - (one?.at ?? 0), (three?.at ?? 0) - (two?.at ?? 0)];
    expect(gaps[0]).toBeGreaterThan(265);
    expect(gaps[1]).toBeGreaterThan(535);
    expect(gaps[1]).toBeLessThan(1_500);
    expect(received).toHaveLength(3);
    expect(job).toMatchObject({ state: 'failed', attempts: { made: 3, max: 3 } });
    expect(await attempts(id)).toMatchObject([
      { attempt: 1, status: 500, error: 'answered 500', next_in_ms: expect.any(Number) },
      { attempt: 2, status: 500, error: 'answered 500' },
      { attempt: 3, status: 500, error: 'answered 500' },
    ]);
  });

  it('comes after the first wait of the schedule when that is not 0', async (t) => {
    const { send } = await setup(t);
    const { url, first } = await receiver(t);
    const startedAt = performance.now();

    await send({ url, schedule: [400] });

    const [request] = await first(1);
    expect((request?.at ?? 0) - startedAt).toBeGreaterThan(390);
  });

  it('comes when Retry-After says: seconds, or a date', async (t) => {
    const { send, attempts, ended } = await setup(t);
    const forms = [
      () => '2',
      // Whole seconds, so up to one is lost.
      () => new Date(Date.now() + 3_000).toUTCString(),
    ];
    const waits = await Promise.all(
      forms.map(async (form) => {
        const { url, first } = await receiver(t, (response, before) => {
          if (before > 0) return void response.end();
          response.writeHead(503, { 'retry-after': form() }).end();
        });
        const id = await send({ url, schedule: [0, '1h'] });
        const [one, two] = await first(2);
        await ended(id);
        expect((await attempts(id))[0]?.next_in_ms).toBeLessThan(3_400);
        return (two?.at ?? 0) - (one?.at ?? 0);
      }),
    );

    for (const waitMs of waits) {
      expect(waitMs).toBeGreaterThan(1_900);
      expect(waitMs).toBeLessThan(4_500);
    }
  });

  it('is not sooner than the schedule has it because Retry-After is not to be read', async (t) => {
    const { send, attempts } = await setup(t);
    const { url, first } = await receiver(t, (response) =>
      response.writeHead(429, { 'retry-after': 'soon' }).end(),
    );

    const id = await send({ url, schedule: [0, 60_000], jitter: 0 });
    await first(1);

    await vi.waitFor(async () => expect(await attempts(id)).toMatchObject([{ next_in_ms: 60_000 }]));
  });
});

describe('a receiver that misbehaves', () => {
  it('fails an attempt and holds no worker longer than the timeout', async (t) => {
    const { send, ended, attempts } = await setup(t);
    const head = 'HTTP/1.1 200 OK\r\n';
    const behaviours: Record<string, (write: (text: string) => void, end: () => void) => void> = {
      silent: () => undefined,
      'slow headers': (write) => {
        write(head);
        for (let n = 0; n < 50; n += 1) setTimeout(() => write(`x-${n}: 1\r\n`), n * 40).unref();
      },
      'slow body': (write) => {
        write(`${head}content-length: 1000\r\n\r\n`);
        for (let n = 0; n < 50; n += 1) setTimeout(() => write('x'), n * 40).unref();
      },
      'a body shorter than it says': (write, end) => {
        write(`${head}content-length: 1000\r\n\r\nshort`);
        end();
      },
      'two lengths': (write, end) => {
        write(`${head}content-length: 5\r\ncontent-length: 6\r\n\r\nabcdef`);
        end();
      },
      'no HTTP': (write, end) => {
        write('hello\n');
        end();
      },
      'closed at once': (_write, end) => end(),
      'endless headers': (write) => write(`${head}x: ${'y'.repeat(100_000)}`),
    };
    const results = await Promise.all(
      Object.entries(behaviours).map(async ([name, speak]) => {
        const { url } = await bareServer(t, speak);
        const startedAt = performance.now();
        const id = await send({ url, schedule: [0], timeout: 500 });
        const { state } = await ended(id);
        const [attempt] = await attempts(id);
        return [name, state, attempt?.status, performance.now() - startedAt < 3_000];
      }),
    );

    expect(results).toEqual(Object.keys(behaviours).map((name) => [name, 'failed', null, true]));
  });

  it('is read to 16 KiB and no further', async (t) => {
    const { send, ended } = await setup(t);
    const { url } = await receiver(t, (response) => {
      const pour = () => {
        while (!response.destroyed && response.write('x'.repeat(16_384)));
        response.once('drain', pour);
      };
      pour();
    });

    const { state, result } = await ended(await send({ url }));

    const { body, truncated, status } = JSON.parse(result?.text ?? '{}') as Record<string, unknown>;
    expect([state, status, truncated]).toEqual(['completed', 200, true]);
    expect((body as string).length).toBeGreaterThan(16_000);
    expect((body as string).length).toBeLessThanOrEqual(16_384);
  });
});

describe('what is kept of an attempt', () => {
  it('is the answer, as the result of a delivery that succeeded', async (t) => {
    const { send, ended, attempts } = await setup(t);
    const { url } = await receiver(t, (response) => {
      response.writeHead(202, { 'content-type': 'text/plain', 'set-cookie': 'a=b' });
      response.end('thanks');
    });

    const id = await send({ url });
    const { result } = await ended(id);

    expect(JSON.parse(result?.text ?? '')).toEqual({
      status: 202,
      duration_ms: expect.any(Number),
      headers: { 'content-type': 'text/plain', date: expect.any(String) },
      body: 'thanks',
      body_encoding: 'utf8',
      truncated: false,
    });
    expect(await attempts(id)).toEqual([
      {
        attempt: 1,
        at: expect.stringMatching(/^\d{4}-\d\d-\d\dT/),
        status: 202,
        duration_ms: expect.any(Number),
        error: null,
      },
    ]);
  });

  it('is a beginning of earlier answers, and 16 KiB of the last that failed', async (t) => {
    const { send, ended, attempts } = await setup(t);
    const { url } = await receiver(t, (response) => void response.writeHead(500).end('e'.repeat(50_000)));

    const id = await send({ url, schedule: [0, 1] });
    await ended(id);

    const kept = (await attempts(id)).map(({ response }) => response as { body: string; truncated: boolean });
    expect(kept.map(({ truncated }) => truncated)).toEqual([true, true]);
    expect(kept[0]?.body.length).toBeLessThanOrEqual(1_024);
    expect(kept[1]?.body.length).toBeGreaterThan(16_000);
  });
});

describe('an address', () => {
  it('that may not be reached ends the delivery, and is not connected to', async (t) => {
    const { send, ended } = await setup(t);

    for (const url of [
      'http://169.254.169.254/',
      'http://[::1]:8080/',
      'http://10.0.0.1/',
      'http://0xa.1/',
    ]) {
      const { state, error, attempts } = await ended(await send({ url }));
      expect([url, state, error?.code, attempts.made]).toEqual([url, 'failed', 'fatal', 1]);
    }
  });
});

describe('a running request', () => {
  it('is aborted within a second of a cancel', async (t) => {
    const { send, jobs, ended } = await setup(t);
    const closed = vi.fn();
    const { url, first } = await receiver(t, (response) => void response.on('close', closed));
    const id = await send({ url, timeout: 60_000 });
    await first(1);

    const askedAt = performance.now();
    await jobs.cancel('deliveries', id);

    await vi.waitFor(() => expect(closed).toHaveBeenCalled(), { timeout: 2_000, interval: 5 });
    expect(performance.now() - askedAt).toBeLessThan(1_200);
    expect((await ended(id)).state).toBe('cancelled');
  });

  it('is aborted when the worker stops, and sent again by the next with the same id', async (t) => {
    const { send, workers, work, ended } = await setup(t);
    const { url, first } = await receiver(t, (response, before) => {
      if (before > 0) response.end();
    });
    const id = await send({ url, timeout: 60_000 });
    await first(1);

    const askedAt = performance.now();
    await workers[0]?.stop(0);
    expect(performance.now() - askedAt).toBeLessThan(2_500);
    work('deliveries');

    const requests = await first(2);
    expect(requests.map(({ headers }) => headers['webhook-id'])).toEqual([id, id]);
    expect((await ended(id)).attempts.made).toBe(1);
  });
});
