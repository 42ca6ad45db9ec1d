import { createServer as createHttpServer } from 'node:http';
import { createServer, type Socket } from 'node:net';
import { DELIVERY_QUEUE } from '@sluice/delivery';
import { freePort, type TestContext } from '@sluice/redis/testing';
import { expect, it, vi } from 'vitest';
import { receiver, setup } from './setup.ts';

/** Takes requests and never answers. */
async function deadServer(t: TestContext) {
  let requests = 0;
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.once('data', () => {
      requests += 1;
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const { port } = server.address() as { port: number };
  return { url: `http://127.0.0.1:${port}/`, requests: () => requests };
}

it('sends no more requests to a host at a time than its endpoint allows, and all of them', async (t) => {
  const { endpoints, send } = await setup(t);
  let running = 0;
  let most = 0;
  const { url, first } = await receiver(t, (response) => {
    running += 1;
    most = Math.max(most, running);
    setTimeout(() => {
      running -= 1;
      response.end();
    }, 20);
  });
  await endpoints.put('partner', { url, concurrency: 3 });

  await Promise.all(
    Array.from({ length: 60 }, (_, n) =>
      send({ endpoint: 'partner', ...(n % 2 === 0 && { group: `tenant-${n % 3}` }) }),
    ),
  );

  await first(60, 20_000);
  expect(most).toBe(3);
}, 30_000);

it('counts no attempt and no start for a job that found no place', async (t) => {
  const { endpoints, send, ended } = await setup(t);
  const { url, first } = await receiver(t, (response) => void setTimeout(() => response.end(), 300));
  await endpoints.put('partner', { url, concurrency: 1 });

  const ids = await Promise.all([1, 2, 3].map(() => send({ endpoint: 'partner' })));
  await first(3);

  const jobs = await Promise.all(ids.map((id) => ended(id)));
  expect(jobs.map(({ state, attempts }) => [state, attempts.made, attempts.started])).toEqual(
    ids.map(() => ['completed', 1, 1]),
  );
});

it('ends a job that found no place before it expired', async (t) => {
  const { endpoints, send, ended } = await setup(t);
  const { url, first, received } = await receiver(
    t,
    (response) => void setTimeout(() => response.end(), 1_500),
  );
  await endpoints.put('partner', { url, concurrency: 1 });
  await send({ endpoint: 'partner' });
  await first(1);

  const { state } = await ended(await send({ endpoint: 'partner', ttl: 200 }));

  expect(state).toBe('expired');
  expect(received).toHaveLength(1);
});

it('tries a host that does not answer five times, then now and then, and spends no attempts on it', async (t) => {
  const { send, jobs } = await setup(t);
  const port = await freePort();
  const url = `http://127.0.0.1:${port}/hook`;
  const ids = await Promise.all(Array.from({ length: 30 }, () => send({ url, schedule: [0, 60_000] })));

  await vi.waitFor(
    async () => {
      const views = await Promise.all(ids.map((id) => jobs.get(DELIVERY_QUEUE, id)));
      expect(views.every(({ state }) => state === 'delayed')).toBe(true);
    },
    { timeout: 5_000 },
  );
  const made = async () =>
    (await Promise.all(ids.map((id) => jobs.get(DELIVERY_QUEUE, id)))).reduce(
      (sum, { attempts }) => sum + attempts.made,
      0,
    );
  // Five have a place at first, and four may have failed and made room for others before the fifth closes it.
  expect(await made()).toBeGreaterThanOrEqual(5);
  expect(await made()).toBeLessThanOrEqual(9);

  // One tries it after 5 s; the others come when it has answered.
  let received = 0;
  const server = createHttpServer((request, response) => {
    received += 1;
    request.resume();
    response.end();
  });
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  t.onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  await vi.waitFor(() => expect(received).toBeGreaterThanOrEqual(18), { timeout: 30_000, interval: 50 });
}, 45_000);

it('slows no other host: beside 1,000 deliveries to a dead one, those to a live one are fast', async (t) => {
  const { send, deliveries, jobs } = await setup(t);
  const dead = await deadServer(t);
  const live = await receiver(t);
  await send({ url: live.url, body: -1 });
  await live.first(1);
  const many = await deliveries.jobs(
    Array.from({ length: 1_000 }, () => ({ url: dead.url, timeout: 1_000, schedule: [0, '30m'] })),
  );
  await jobs.enqueueMany(
    DELIVERY_QUEUE,
    many.flatMap((job) => (job instanceof Error ? [] : [job])),
  );

  const tookMs: number[] = [];
  const giveUpAt = performance.now() + 8_000;
  for (let n = 1; performance.now() < giveUpAt; n += 1) {
    const startedAt = performance.now();
    await send({ url: live.url, body: n });
    await live.first(n + 1);
    tookMs.push((live.received[n]?.at ?? 0) - startedAt);
    await new Promise((resolve) => setTimeout(resolve, 40));
  }

  const sorted = tookMs.toSorted((a, b) => a - b);
  const at = (part: number) => Math.round(sorted[Math.floor((sorted.length - 1) * part)] as number);
  expect(sorted.length).toBeGreaterThan(50);
  // Without places each would wait until those before it have timed out: seconds.
  expect(at(0.5)).toBeLessThan(100);
  // The first waits until the thousand before it have been looked at.
  expect(at(0.9)).toBeLessThan(500);
  // A dozen at first, and one for each time the breaker has let one through.
  expect(dead.requests()).toBeGreaterThan(4);
  expect(dead.requests()).toBeLessThan(16);
}, 30_000);

it('gives the places of a worker that died back', async (t) => {
  const { endpoints, send, workers, work } = await setup(t);
  const { url, first } = await receiver(t, (response, before) => {
    if (before > 0) response.end();
  });
  await endpoints.put('partner', { url, concurrency: 1, timeout: 100 });
  await send({ endpoint: 'partner' });
  await first(1);
  await workers[0]?.stop(0);
  work(DELIVERY_QUEUE);

  await first(2);
});
