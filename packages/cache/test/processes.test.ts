import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TEST_REDIS_URL, type TestContext, testRedis } from '@sluice/redis/testing';
import { describe, expect, it } from 'vitest';

const CALLER = new URL('./fixtures/caller.ts', import.meta.url);

describe.each(['redis', 'file'] as const)('a cache on %s, shared by processes', (store) => {
  it('makes the upstream see one call of 1,000 callers in 4 processes', async (t) => {
    const upstream = await startUpstream(t, 200);
    const callers = await startCallers(t, { store, count: 4, upstream: upstream.url });

    const answers = await Promise.all(callers.map((caller) => ask(caller, { key: 'cold', calls: 250 })));

    expect(answers).toEqual(callers.map(() => ({ texts: ['{"call":1}'] })));
    expect(upstream.calls()).toBe(1);
  });

  it('loads a second time within the lease when the first holder is killed', async (t) => {
    const leaseMs = 1_500;
    const upstream = await startUpstream(t, 200, { hangsFirst: true });
    const callers = await startCallers(t, { store, count: 2, upstream: upstream.url, leaseMs });
    const [first, second] = callers as [ChildProcess, ChildProcess];

    first.send({ key: 'cold', calls: 10 });
    await expect.poll(upstream.calls).toBe(1);
    const answer = ask(second, { key: 'cold', calls: 10 });
    const killedAt = performance.now();
    first.kill('SIGKILL');
    await expect.poll(upstream.calls, { timeout: 10_000, interval: 10 }).toBe(2);
    const replacedAfterMs = performance.now() - killedAt;

    expect(await answer).toEqual({ texts: ['{"call":2}'] });
    // The lease, one look of the one who waits, and the scheduling of a busy machine.
    expect(replacedAfterMs).toBeLessThan(leaseMs + 500);
  });
});

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
  options: { store: 'redis' | 'file'; count: number; upstream: string; leaseMs?: number },
): Promise<ChildProcess[]> {
  const { store, count, upstream, leaseMs = 5_000 } = options;
  const { prefix } = await testRedis(t);
  const folder = await mkdtemp(join(tmpdir(), 'sluice-cache-'));
  t.onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const where = store === 'file' ? ['file', folder] : [process.env[TEST_REDIS_URL] as string, prefix];
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

async function ask(caller: ChildProcess, question: { key: string; calls: number }): Promise<unknown> {
  const answer = once(caller, 'message');
  caller.send(question);
  return (await answer)[0];
}
