import { randomBytes } from 'node:crypto';
import { keyspace, Secret } from '@sluice/config';
import { redisFault, untilReady } from '@sluice/redis';
import { testServer } from '@sluice/redis/testing';
import { createLog } from '@sluice/runtime';
import { expect, type TestContext, test } from 'vitest';
import { KeyRing, type KeyRingOptions } from '../src/index.ts';

const GIVEN = 'given-by-environment-1';
const WITHIN_2S = { timeout: 2_000, interval: 20 };

async function setup(t: TestContext, options: { settings?: string[] } & Partial<KeyRingOptions> = {}) {
  const { settings = ['appendonly yes', 'save ""'], ...more } = options;
  const server = await testServer(t, { settings });
  const lines: string[] = [];
  const log = createLog({ name: 'test', destination: { write: (line) => void lines.push(line) } });
  const pepper = randomBytes(32);
  const ring = () => {
    const client = server.connect('request');
    const made = new KeyRing({ client, keys: keyspace('t', { isCluster: false }), pepper, log, ...more });
    t.onTestFinished(() => made.stop());
    return { ring: made, client };
  };
  return { server, ring, lines };
}

test('while Redis is away known keys go on opening, and no key is made', async (t) => {
  const { server, ring: open, lines } = await setup(t);
  const { ring, client } = open();
  await untilReady(client, 5_000);
  await ring.start();
  const { key } = await ring.create({ label: 'ci', scopes: ['*'] });

  await server.stop();
  await expect.poll(() => client.status).not.toBe('ready');

  expect(ring.isLoaded).toBe(true);
  expect(ring.authenticate(key)).toBeDefined();
  const failure = await ring
    .create({ label: 'x', scopes: ['*'] })
    .catch((error: unknown) => redisFault(error));
  expect(failure).toEqual({ kind: 'unavailable', outcome: 'not_attempted' });
  // Polls go on failing: the outage is told once.
  await new Promise((resolve) => setTimeout(resolve, 2_500));
  expect(ring.authenticate(key)).toBeDefined();
  expect(lines.filter((line) => line.includes('keys not read'))).toHaveLength(1);
});

test('a key revoked during an outage is shut within two seconds of the return of Redis', async (t) => {
  const { server, ring: open } = await setup(t);
  const [one, two] = [open(), open()];
  await Promise.all([untilReady(one.client, 5_000), untilReady(two.client, 5_000)]);
  await Promise.all([one.ring.start(), two.ring.start()]);
  const { id, key } = await one.ring.create({ label: 'ci', scopes: ['*'] });
  await expect.poll(() => two.ring.authenticate(key), WITHIN_2S).toBeDefined();

  await server.kill();
  await server.start();
  await expect.poll(() => one.ring.revoke(id).catch(() => undefined), { timeout: 5_000 }).toBeDefined();

  await expect.poll(() => two.ring.authenticate(key), WITHIN_2S).toBeUndefined();
});

test('a process that starts before Redis knows that it knows nothing, until Redis is there', async (t) => {
  const { server, ring: open } = await setup(t);
  const before = open();
  await untilReady(before.client, 5_000);
  await before.ring.start();
  const { key } = await before.ring.create({ label: 'ci', scopes: ['*'] });
  await server.stop();

  const { ring } = open();
  await ring.start();

  expect(ring.isLoaded).toBe(false);
  expect(ring.authenticate(key)).toBeUndefined();
  await expect(ring.ensureFirstKey()).rejects.toThrow();
  await server.start();
  await expect.poll(() => ring.isLoaded, WITHIN_2S).toBe(true);
  expect(ring.authenticate(key)).toBeDefined();
});

test('a process that starts with Redis knows the keys as soon as it is connected', async (t) => {
  const { ring: open } = await setup(t);
  const { ring, client } = open();
  expect(client.status).not.toBe('ready');

  await ring.start();

  // Half of the time between two polls.
  await expect.poll(() => ring.isLoaded, { timeout: 500, interval: 10 }).toBe(true);
});

test('a Redis that has lost everything has the given key again within two seconds', async (t) => {
  const { server, ring: open } = await setup(t, {
    settings: ['save ""', 'appendonly no'],
    firstKey: new Secret(GIVEN),
  });
  const { ring, client } = open();
  await untilReady(client, 5_000);
  await ring.start();
  await ring.ensureFirstKey();
  const { key } = await ring.create({ label: 'lost', scopes: ['*'] });

  await server.kill();
  await server.start();

  await expect.poll(() => ring.authenticate(key), { timeout: 4_000 }).toBeUndefined();
  expect(ring.authenticate(GIVEN)).toBeDefined();
  expect(await ring.list()).toMatchObject([{ origin: 'environment', revokedAt: null }]);
});

test('a Redis that takes no writes hides no revocation', async (t) => {
  const { server, ring: open } = await setup(t);
  const [one, two] = [open(), open()];
  await Promise.all([untilReady(one.client, 5_000), untilReady(two.client, 5_000)]);
  await Promise.all([one.ring.start(), two.ring.start()]);
  const { id, key } = await one.ring.create({ label: 'ci', scopes: ['*'] });
  await expect.poll(() => two.ring.authenticate(key), WITHIN_2S).toBeDefined();

  // `two` has a use to write down, which this Redis refuses.
  await one.ring.revoke(id);
  await server.admin().call('REPLICAOF', '127.0.0.1', '1');

  await expect.poll(() => two.ring.authenticate(key), WITHIN_2S).toBeUndefined();
});
