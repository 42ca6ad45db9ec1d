import { expect, test } from 'vitest';
import { untilReady } from '../src/connect.ts';
import { health } from '../src/health.ts';
import { testServer } from '../src/testing.ts';

test('a Redis that answers is up', async (t) => {
  const client = (await testServer(t, { isAnyKey: true })).connect('request');
  await untilReady(client, 5_000);

  const answer = await health(client);

  expect(answer).toEqual({ isUp: true, latencyMs: expect.any(Number) });
});

test('a Redis that is away is down at once', async (t) => {
  const server = await testServer(t, { isAnyKey: true });
  const client = server.connect('request');
  await untilReady(client, 5_000);
  await server.stop();
  await expect.poll(() => client.status).not.toBe('ready');

  expect(await health(client)).toEqual({ isUp: false, kind: 'unavailable' });
});

test('a Redis that is silent is down when its time is over, for whoever never gives up too', async (t) => {
  const server = await testServer(t, { isAnyKey: true });
  const client = server.connect('worker');
  await untilReady(client, 5_000);
  server.pause();
  const startedAt = performance.now();

  expect(await health(client, 100)).toEqual({ isUp: false, kind: 'unavailable' });

  expect(performance.now() - startedAt).toBeLessThan(300);
});

test('a Redis that refuses us says so', async (t) => {
  const server = await testServer(t, {
    isOpen: true,
    settings: ['user default on nopass ~* +@all -ping', 'save ""'],
  });
  const client = server.connect('request');
  await untilReady(client, 5_000);

  expect(await health(client)).toEqual({ isUp: false, kind: 'auth' });
});
