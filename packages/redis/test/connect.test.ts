import { setTimeout as after } from 'node:timers/promises';
import { createLog } from '@sluice/runtime';
import { describe, expect, type TestContext, test } from 'vitest';
import { close, connect, REQUEST_COMMAND_TIMEOUT_MS, untilReady } from '../src/connect.ts';
import { redisFault } from '../src/fault.ts';
import { testServer } from '../src/testing.ts';

const failure = (work: Promise<unknown>) =>
  work.then(
    (value) => ({ answered: value }),
    (error: unknown) => redisFault(error),
  );
const REFUSED = { kind: 'unavailable', outcome: 'not_attempted' };
const UNKNOWN = { kind: 'unavailable', outcome: 'unknown' };

async function setup(t: TestContext, profile: 'request' | 'worker' | 'subscriber') {
  const server = await testServer(t, { isAnyKey: true });
  const client = server.connect(profile);
  await untilReady(client, 5_000);
  return { server, client };
}

describe('whoever has a caller waiting', () => {
  test('refuses at once while Redis is away, in less than 10 ms', async (t) => {
    const { server, client } = await setup(t, 'request');
    await server.stop();
    await expect.poll(() => client.status).not.toBe('ready');

    const tookMs: number[] = [];
    for (let turn = 0; turn < 200; turn += 1) {
      const startedAt = performance.now();
      expect(await failure(client.get('key'))).toEqual(REFUSED);
      tookMs.push(performance.now() - startedAt);
    }

    expect(tookMs.sort((a, b) => a - b)[100]).toBeLessThan(10);
  });

  test('does not know of a command that was under way when Redis died', async (t) => {
    const { server, client } = await setup(t, 'request');

    server.pause();
    const answers = Promise.all([
      failure(client.incr('key')),
      client
        .pipeline()
        .incr('key')
        .incr('key')
        .exec()
        .then((replies) => replies?.map(([error]) => redisFault(error))),
    ]);
    await after(20);
    await server.kill();
    await server.start();

    expect(await answers).toEqual([UNKNOWN, [UNKNOWN, UNKNOWN]]);
    await untilReady(client, 5_000);
    // Nothing is sent again on behalf of somebody who has been answered.
    expect(await failure(client.get('key'))).toEqual({ answered: null });
  });

  test('waits no longer than its time for a Redis that stays silent', async (t) => {
    const { server, client } = await setup(t, 'request');

    server.pause();
    const startedAt = performance.now();
    expect(await failure(client.get('key'))).toEqual(UNKNOWN);

    expect(performance.now() - startedAt).toBeLessThan(REQUEST_COMMAND_TIMEOUT_MS + 200);
  });

  test('serves within 2 s of the return of Redis and sends nothing again', async (t) => {
    const { server, client } = await setup(t, 'request');
    await server.stop();
    await expect.poll(() => client.status).not.toBe('ready');
    expect(await failure(client.incr('key'))).toEqual(REFUSED);

    await server.start();

    await expect
      .poll(() => failure(client.get('key')), { timeout: 2_000, interval: 20 })
      .toEqual({ answered: null });
  });

  test('serves within 2 s of the end of a silence', async (t) => {
    const { server, client } = await setup(t, 'request');
    server.pause();
    // Long enough for the socket to be given up.
    await Promise.all([1, 2, 3, 4].map((turn) => after(turn * 1_500).then(() => failure(client.get('key')))));

    server.resume();

    await expect
      .poll(() => failure(client.get('key')), { timeout: 2_000, interval: 20 })
      .toEqual({ answered: null });
  });

  test('is told that a replica takes no writes, and still reads from it', async (t) => {
    const server = await testServer(t, { isAnyKey: true, settings: ['replicaof 127.0.0.1 1', 'save ""'] });
    const client = server.connect('request');
    await untilReady(client, 5_000);

    expect(await failure(client.set('key', '1'))).toEqual({ kind: 'readonly', outcome: 'not_attempted' });

    await expect
      .poll(() => failure(client.get('key')), { timeout: 2_000, interval: 20 })
      .toEqual({ answered: null });
    expect(await failure(client.set('key', '1'))).toMatchObject({ kind: 'readonly' });
    expect(await failure(client.get('key'))).toEqual({ answered: null });
  });
});

describe('whoever never gives up', () => {
  test('has its commands answered after an outage', async (t) => {
    const { server, client } = await setup(t, 'worker');
    await server.stop();

    const answer = client.set('key', 'kept');
    await server.start();

    expect(await answer).toBe('OK');
  });

  test('goes on waiting for work through an outage', async (t) => {
    const { server, client } = await setup(t, 'worker');
    const taken = client.blpop('work', 0);
    await server.kill();
    await server.start();

    const producer = server.connect('worker');
    await producer.rpush('work', 'job');

    expect(await taken).toEqual(['work', 'job']);
  });

  test('waits out a silence longer than any time of a request', async (t) => {
    const { server, client } = await setup(t, 'worker');
    server.pause();

    const answer = client.set('key', 'kept');
    expect(await Promise.race([answer, after(REQUEST_COMMAND_TIMEOUT_MS + 500, 'silent')])).toBe('silent');
    server.resume();

    expect(await answer).toBe('OK');
  });

  test('sends a refused write again once writes are taken', async (t) => {
    const { server, client } = await setup(t, 'worker');
    const operator = server.admin();
    await operator.call('REPLICAOF', '127.0.0.1', '1');

    const answer = client.set('key', 'kept');
    expect(await Promise.race([answer, after(200, 'refused')])).toBe('refused');
    await operator.call('REPLICAOF', 'NO', 'ONE');

    expect(await answer).toBe('OK');
  });
});

test('whoever listens hears again after an outage', async (t) => {
  const { server, client } = await setup(t, 'subscriber');
  await client.subscribe('news');
  const heard = new Promise((resolve) => client.on('message', (_, message) => resolve(message)));
  await server.kill();
  await server.start();

  const publisher = server.connect('worker');
  await expect.poll(() => publisher.publish('news', 'hello'), { timeout: 3_000 }).toBe(1);

  expect(await heard).toBe('hello');
});

describe('waiting for a connection', () => {
  test('ends with the reason when nobody is there', async (t) => {
    const { server } = await setup(t, 'request');
    await server.stop();
    const client = server.connect('request');

    const error = await untilReady(client, 300).catch((thrown: unknown) => thrown);

    expect(error).toMatchObject({ message: 'Redis not answered within 300 ms' });
    expect(redisFault(error)).toEqual(REFUSED);
    expect(client.listenerCount('ready')).toBe(1);
  });

  test('ends with the reason when the password is wrong', async (t) => {
    const server = await testServer(t, { isOpen: true, settings: ['requirepass right'] });
    const client = server.connect('request');

    expect(redisFault(await untilReady(client, 300).catch((thrown: unknown) => thrown))).toMatchObject({
      kind: 'auth',
    });
  });
});

describe('closing', () => {
  test('lets a command that was sent finish', async (t) => {
    const { client } = await setup(t, 'request');
    const answer = client.set('key', 'kept');

    await close(client);

    expect(await answer).toBe('OK');
    expect(client.status).toBe('end');
  });

  test('takes no longer than its time when Redis is silent or away', async (t) => {
    const { server, client } = await setup(t, 'worker');
    const other = server.connect('worker');
    await untilReady(other, 5_000);

    server.pause();
    const startedAt = performance.now();
    await close(client, 200);
    await server.stop();
    await close(other, 200);
    await close(other, 200);

    expect(performance.now() - startedAt).toBeLessThan(1_000);
    expect([client.status, other.status]).not.toContain('ready');
  });
});

test('an outage is logged once, and its end once', async (t) => {
  const server = await testServer(t, { isAnyKey: true });
  const lines: Record<string, unknown>[] = [];
  const log = createLog({
    name: 'test',
    destination: { write: (line) => void lines.push(JSON.parse(line)) },
  });
  const client = connect({ config: server.config, profile: 'request', name: 'logged', log });
  t.onTestFinished(() => close(client));
  await untilReady(client, 5_000);

  await server.stop();
  await expect.poll(() => client.status).not.toBe('ready');
  // Three attempts at least, each of which fails.
  await after(500);
  await server.start();
  await expect.poll(() => client.status, { timeout: 3_000 }).toBe('ready');

  expect(lines.map(({ level, msg, connection }) => ({ level, msg, connection }))).toEqual([
    { level: 'warn', msg: 'redis away', connection: 'logged' },
    { level: 'info', msg: 'redis back', connection: 'logged' },
  ]);
  expect(lines[0]?.reason).toMatch(/ECONNREFUSED/);
});

test('a client is named in the list of clients', async (t) => {
  const { client } = await setup(t, 'request');

  expect(await client.client('GETNAME')).toBe('sluice:test');
});

test('a server that loads its data is looked at every 200 ms, whatever it says of how long it will take', async (t) => {
  const settings = ['save ""', 'appendonly yes', 'appendfsync no', 'key-load-delay 100'];
  const server = await testServer(t, { isAnyKey: true, settings });
  const client = server.connect('request');
  await untilReady(client, 5_000);
  const filling = client.pipeline();
  for (let n = 0; n < 20_000; n += 1) filling.set(`key:${n}`, 'x');
  await filling.exec();

  await server.kill();
  await server.start();
  await expect.poll(() => client.status, { timeout: 5_000, interval: 20 }).toBe('ready');

  const [, looks] = /cmdstat_info:calls=(\d+)/.exec(await client.info('commandstats')) ?? [];
  expect(Number(looks)).toBeGreaterThanOrEqual(5);
});
