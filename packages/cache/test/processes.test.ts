import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Cache } from '@sluice/cache';
import { TEST_REDIS_URL, type TestContext } from '@sluice/redis/testing';
import { describe, expect, it } from 'vitest';
import { fileRig, redisRig } from './setup.ts';

const CALLER = new URL('./fixtures/caller.ts', import.meta.url);

describe.each(['redis', 'file'] as const)('a cache on %s, shared by processes', (store) => {
  it('makes the upstream see one call of 1,000 callers in 4 processes', async (t) => {
    const upstream = await startUpstream(t, 200);
    const callers = await startCallers(t, {
      store,
      count: 4,
      upstream: upstream.url,
      place: await placeFor(t, store),
    });

    const answers = await Promise.all(
      callers.map((caller) => ask(caller, { work: 'load', key: 'cold', times: 250 })),
    );

    expect(answers).toEqual(callers.map(() => ({ texts: ['{"call":1}'] })));
    expect(upstream.calls()).toBe(1);
  });

  it('loads a second time within the lease when the first holder is killed', async (t) => {
    const leaseMs = 1_500;
    const upstream = await startUpstream(t, 200, { hangsFirst: true });
    const place = await placeFor(t, store);
    const callers = await startCallers(t, { store, count: 2, upstream: upstream.url, place, leaseMs });
    const [first, second] = callers as [ChildProcess, ChildProcess];

    first.send({ work: 'load', key: 'cold', times: 10 });
    await expect.poll(upstream.calls).toBe(1);
    const answer = ask(second, { work: 'load', key: 'cold', times: 10 });
    const killedAt = performance.now();
    first.kill('SIGKILL');
    await expect.poll(upstream.calls, { timeout: 10_000, interval: 10 }).toBe(2);
    const replacedAfterMs = performance.now() - killedAt;

    expect(await answer).toEqual({ texts: ['{"call":2}'] });
    // The lease, one look of the one who waits, and the scheduling of a busy machine.
    expect(replacedAfterMs).toBeLessThan(leaseMs + 500);
  });

  it('counts every step of every process', async (t) => {
    const { callers, cache } = await startShared(t, store, 3);

    await Promise.all(callers.map((caller) => ask(caller, { work: 'count', key: 'n', times: 100 })));

    expect((await cache.get('n'))?.value).toBe(300);
  });

  it('is whole and free after a writer was killed in the middle of its work', async (t) => {
    const { callers, cache } = await startShared(t, store, 2);
    const written = new Set<string>();
    for (const caller of callers) {
      caller.on('message', (key: string) => written.add(key));
      caller.send({ work: 'write', key: 'w', times: 40 });
    }
    await expect.poll(() => written.size, { timeout: 10_000 }).toBe(40);

    await Promise.all(
      callers.map(async (caller) => {
        caller.kill('SIGKILL');
        await once(caller, 'exit');
      }),
    );

    const keys = [...written];
    const entries = await cache.getMany(keys);
    const whole = { at: expect.any(Number), padding: 'x'.repeat(20_000) };
    expect(entries.map((entry) => entry?.value)).toEqual(keys.map(() => whole));
    const results = await cache.setMany(keys.map((key) => ({ key, value: 'after' })));
    expect(results.map(({ isStored }) => isStored)).toEqual(keys.map(() => true));
  });
});

/** Processes on one cache, and the same cache here. */
async function startShared(
  t: TestContext,
  store: 'redis' | 'file',
  count: number,
): Promise<{ callers: ChildProcess[]; cache: Cache }> {
  const rig = store === 'file' ? await fileRig(t) : await redisRig(t);
  const place = 'folder' in rig ? rig.folder : rig.redis.prefix;
  return { callers: await startCallers(t, { store, count, upstream: 'none', place }), cache: rig.cache };
}

/** A prefix or a folder of the test's own. */
async function placeFor(t: TestContext, store: 'redis' | 'file'): Promise<string> {
  return store === 'file' ? (await fileRig(t)).folder : (await redisRig(t)).redis.prefix;
}

interface Upstream {
  url: string;
  calls(): number;
}

/** Answers each call after `delayMs` with its number; the first never, when `hangsFirst`. */
async function startUpstream(
  t: TestContext,
  delayMs: number,
  { hangsFirst = false } = {},
): Promise<Upstream> {
  let calls = 0;
  const server = createServer((_, response) => {
    calls += 1;
    const call = calls;
    if (hangsFirst && call === 1) return;
    setTimeout(() => response.end(JSON.stringify({ call })), delayMs);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, calls: () => calls };
}

async function startCallers(
  t: TestContext,
  options: { store: 'redis' | 'file'; count: number; upstream: string; place: string; leaseMs?: number },
): Promise<ChildProcess[]> {
  const { store, count, upstream, place, leaseMs = 5_000 } = options;
  const where = [store === 'file' ? 'file' : (process.env[TEST_REDIS_URL] as string), place];
  return await Promise.all(
    Array.from({ length: count }, async () => {
      const caller = fork(CALLER, [...where, upstream, String(leaseMs)], {
        execArgv: ['--import', 'tsx', '--conditions=@sluice/source'],
      });
      t.onTestFinished(async () => {
        if (caller.exitCode !== null || caller.signalCode !== null) return;
        const gone = once(caller, 'exit');
        caller.kill('SIGKILL');
        await gone;
      });
      await once(caller, 'message');
      return caller;
    }),
  );
}

async function ask(
  caller: ChildProcess,
  question: { work: string; key: string; times: number },
): Promise<unknown> {
  const answer = once(caller, 'message');
  caller.send(question);
  return (await answer)[0];
}
