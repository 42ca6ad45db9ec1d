import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { keyspace } from '@sluice/config';
import { type RedisClient, unlinkByPrefix, untilReady } from '@sluice/redis';
import { type TestServer, testServer } from '@sluice/redis/testing';
import { createLog, Metrics, systemClock } from '@sluice/runtime';
import { describe, expect, it } from 'vitest';
import { DatasetMemory } from '../src/dataset-memory.ts';
import { acknowledge, RedisWatch } from '../src/redis-watch.ts';
import { observeWatches, watchWarnings } from '../src/watch-report.ts';

const keys = keyspace('t', { isCluster: false });
/** The promise; the poll itself is faster. */
const ALARM_MS = 5_000;

interface Context {
  onTestFinished(cleanUp: () => Promise<void> | void): void;
}

interface Bundle {
  server: TestServer;
  client: RedisClient;
  lines: string[];
  /** Another process, over the same folder unless told otherwise. */
  watch(options?: { directory?: string; aheadMs?: number; target?: string }): Promise<RedisWatch>;
}

async function folder(t: Context): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'sluice-watch-'));
  t.onTestFinished(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

/** What is looked for. The server is the test's own. */
async function loseEverything(server: TestServer): Promise<void> {
  await unlinkByPrefix(server.admin(), '');
}

async function setup(t: Context): Promise<Bundle> {
  const server = await testServer(t);
  const client = server.connect('request');
  await untilReady(client, 5_000);
  const shared = await folder(t);
  const lines: string[] = [];
  const log = createLog({
    name: 'test',
    level: 'info',
    destination: { write: (line) => void lines.push(line) },
  });
  return {
    server,
    client,
    lines,
    async watch({ directory = shared, aheadMs = 0, target = 'here t' } = {}) {
      const clock = { ...systemClock, now: () => Date.now() + aheadMs };
      const memory = new DatasetMemory({ directory, role: 'queue' });
      const watch = new RedisWatch({ role: 'queue', client, keys, target, memory, log, clock });
      t.onTestFinished(() => watch.stop());
      await watch.start();
      await expect.poll(() => watch.report().dataset).not.toBe('unknown');
      return watch;
    },
  };
}

describe('a dataset', () => {
  it('is marked once, and known by every process and after a restart of Redis that keeps it', async (t) => {
    const { client, server, watch, lines } = await setup(t);
    const first = await watch();
    const marked = await client.hgetall('t:system:dataset:queue');
    const second = await watch({ directory: await folder(t) });
    await server.admin().save();
    await server.stop();
    await server.start();
    await expect.poll(() => client.status, { timeout: 5_000 }).toBe('ready');
    await expect.poll(() => client.hgetall('t:system:dataset:queue').catch(() => ({}))).toEqual(marked);

    expect([first.report().dataset, second.report().dataset]).toEqual(['known', 'known']);
    expect(marked).toEqual({ epoch: expect.stringMatching(/^[0-9a-f-]{36}$/) });
    expect(lines.join('')).not.toContain('data loss suspected');
  });

  it('that came back empty is told within five seconds, and after a restart of our own as well', async (t) => {
    const { server, watch, lines } = await setup(t);
    const known = await watch();
    const metrics = new Metrics({ processMetrics: false });
    observeWatches(metrics, [known]);
    expect(await metrics.text()).toContain('sluice_data_loss_suspected{role="queue"} 0');

    await server.kill();
    await server.start();

    await expect.poll(() => known.report().dataset, { timeout: ALARM_MS }).toBe('lost');
    expect(watchWarnings([known])).toEqual(['data_loss_suspected']);
    expect(await metrics.text()).toContain('sluice_data_loss_suspected{role="queue"} 1');
    expect(lines.join('')).toContain('data loss suspected, Redis came back empty');
    expect((await watch()).report().dataset).toBe('lost');
  });

  it('of somebody else is told until an operator acknowledges it, to every process', async (t) => {
    const { server, client, watch } = await setup(t);
    const [one, other] = [await watch(), await watch({ directory: await folder(t) })];
    await loseEverything(server);
    await client.hset('t:system:dataset:queue', 'epoch', 'theirs');
    const states = () => [one.report().dataset, other.report().dataset];
    await expect.poll(states, { timeout: ALARM_MS }).toEqual(['replaced', 'replaced']);

    const { epoch } = await acknowledge(client, keys, 'queue');

    expect(epoch).toBe('theirs');
    await expect.poll(states, { timeout: ALARM_MS }).toEqual(['known', 'known']);
    expect((await watch()).report().dataset).toBe('known');
  });

  it('that was restored is known again without a word', async (t) => {
    const { server, client, watch } = await setup(t);
    const known = await watch();
    const marked = await client.hgetall('t:system:dataset:queue');
    await loseEverything(server);
    await expect.poll(() => known.report().dataset, { timeout: ALARM_MS }).toBe('lost');

    await client.hset('t:system:dataset:queue', marked);

    await expect.poll(() => known.report().dataset, { timeout: ALARM_MS }).toBe('known');
  });

  it('of a Redis that the configuration names anew is no loss', async (t) => {
    const { server, watch } = await setup(t);
    (await watch()).stop();
    await loseEverything(server);

    expect((await watch({ target: 'another t' })).report().dataset).toBe('known');
  });
});

describe('a clock', () => {
  it('that differs from that of Redis by more than a second is warned of', async (t) => {
    const { watch, lines } = await setup(t);

    const [right, late] = [await watch(), await watch({ aheadMs: -30_000 })];

    expect(Math.abs(right.report().skewMs ?? Number.NaN)).toBeLessThan(1_000);
    expect(watchWarnings([right])).toEqual([]);
    expect(late.report().skewMs).toBeGreaterThan(29_000);
    expect(watchWarnings([right, late])).toEqual(['clock_skew']);
    expect(lines.filter((line) => line.includes('clock differs from that of Redis'))).toHaveLength(1);
    const metrics = new Metrics({ processMetrics: false });
    observeWatches(metrics, [late]);
    expect(await metrics.text()).toMatch(/^sluice_redis_clock_skew_seconds\{role="queue"\} (29|30)\b/m);
  });
});
