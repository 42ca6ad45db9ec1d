import { testServer } from '@sluice/redis/testing';
import { describe, expect, test, vi } from 'vitest';
import { product } from './worker-process.ts';

const LONG = { timeout: 60_000 };

describe.concurrent('a worker process', LONG, () => {
  test('serves a queue that appears after its start', async (t) => {
    const { jobs, worker, result } = await product(t);
    await worker();

    const { id } = await jobs.enqueue('fresh', { name: 'example.echo', data: { hello: 'world' } });
    const enqueuedAt = performance.now();
    const end = await result('fresh', id);

    expect(end).toMatchObject({ kind: 'completed', result: { text: '{"hello":"world"}' } });
    expect(performance.now() - enqueuedAt).toBeLessThan(2_000);
  });

  test('leaves queues alone that it is not to serve', async (t) => {
    const { jobs, worker, result } = await product(t);
    const it = await worker({ WORKER_QUEUES: 'mail-*,reports' });
    const other = await jobs.enqueue('other', { name: 'example.echo' });
    const mail = await jobs.enqueue('mail-bulk', { name: 'example.echo' });

    expect(await result('mail-bulk', mail.id)).toMatchObject({ kind: 'completed' });
    expect((await jobs.get('other', other.id)).state).toBe('waiting');
    const { queues } = (await (await it.ask('/readyz')).json()) as { queues: { queue: string }[] };
    expect(queues.map(({ queue }) => queue).sort()).toEqual(['mail-bulk', 'reports']);
  });

  test('serves as many queues as it may, tells of the others, and takes one up when another has gone', async (t) => {
    const { jobs, worker, result } = await product(t);
    const it = await worker({ WORKER_QUEUES: 'a-*', WORKER_MAX_QUEUES: '2' });
    const readiness = async () => (await it.ask('/readyz')).json() as Promise<{ unserved: string[] }>;
    for (const queue of ['a-1', 'a-2']) await jobs.enqueue(queue, { name: 'example.echo' });
    await it.logged('queue served');
    await vi.waitFor(async () => expect((await jobs.queue('a-2')).counts.completed).toBe(1), 10_000);

    const { id } = await jobs.enqueue('a-3', { name: 'example.echo' });

    expect(
      await it.logged('queue not served: raise WORKER_MAX_QUEUES, or split by WORKER_QUEUES'),
    ).toMatchObject({
      queue: 'a-3',
      maxQueues: 2,
    });
    expect(await readiness()).toMatchObject({ status: 'ready', unserved: ['a-3'] });
    expect(await (await it.ask('/metrics')).text()).toContain('sluice_worker_unserved_queues 1');
    await vi.waitFor(
      async () => expect((await jobs.obliterate('a-1', { force: true })).next).toBeNull(),
      10_000,
    );
    expect(await result('a-3', id)).toMatchObject({ kind: 'completed' });
    expect(await readiness()).toMatchObject({ unserved: [] });
  });

  test('runs as many attempts of a queue at a time as it is told', async (t) => {
    const { jobs, worker } = await product(t);
    const it = await worker({ WORKER_CONCURRENCY: 'slow=2,*=7', WORKER_QUEUES: 'slow,fast' });
    for (let job = 0; job < 5; job += 1)
      await jobs.enqueue('slow', { name: 'example.echo', data: { delay: 60_000 } });

    await vi.waitFor(async () => {
      const { queues } = (await (await it.ask('/readyz')).json()) as { queues: unknown[] };
      expect(queues).toMatchObject([
        { queue: 'slow', running: 2, concurrency: 2, isConsuming: true },
        { queue: 'fast', running: 0, concurrency: 7, isConsuming: true },
      ]);
    }, 5_000);
  });

  test("runs the users' own jobs, TypeScript and JavaScript, from any folder, isolated ones too", async (t) => {
    const { jobs, worker, result, write, folder } = await product(t);
    const job = (name: string, more = '') => `
      import { defineJob } from '@sluice/jobs';
      import { z } from 'zod';
      export default defineJob({
        name: '${name}',
        payload: z.object({ n: z.number() }),
        ${more}
        run({ n }) { return { twice: n * 2, worker: process.pid }; },
      });`;
    await write('plain.mjs', job('own.plain'));
    await write('typed.mts', `${job('own.typed')}\nexport type Unused = { field: string };`);
    await write('apart.mjs', job('own.apart', "isolation: 'process',"));
    await write('_helper.mjs', 'throw new Error("not to be loaded")');
    await write('plain.test.mjs', 'throw new Error("not to be loaded")');
    const it = await worker({ WORKER_PROCESSORS: folder });

    const [plain, typed, apart] = await Promise.all(
      ['own.plain', 'own.typed', 'own.apart'].map(async (name) => {
        const { id } = await jobs.enqueue('own', { name, data: { n: 21 } });
        const end = await result('own', id);
        return end.kind === 'completed'
          ? (JSON.parse(end.result.text) as { twice: number; worker: number })
          : undefined;
      }),
    );

    expect([plain, typed]).toEqual([
      { twice: 42, worker: it.child.pid },
      { twice: 42, worker: it.child.pid },
    ]);
    expect(apart?.twice).toBe(42);
    expect(apart?.worker).not.toBe(it.child.pid);
  });

  test('does not start with jobs that are wrong, and says which file, what, and how to mend it', async (t) => {
    const { worker, write, folder } = await product(t);
    await write('a-none.mjs', 'export const job = 1;');
    await write('b-name.mjs', 'export default { name: "has space", payload: { safeParse() {} }, run() {} };');
    await write('c-syntax.mjs', 'export default {');
    await write('d-import.mjs', "import 'nowhere-to-be-found';");
    const it = await worker({ WORKER_PROCESSORS: folder }, { isStarted: false });

    expect(await it.exited).toBe(1);
    const [title, ...lines] = it.errors().trim().split('\n');
    expect(title).toBe(`The jobs in ${folder} (WORKER_PROCESSORS) cannot be loaded:`);
    expect(lines).toEqual([
      "  a-none.mjs: it has no default export (only job): write 'export default defineJob({ … })'",
      expect.stringMatching(/^ {2}b-name\.mjs: a job's name is .*; this one is 'has space'$/),
      expect.stringMatching(/^ {2}c-syntax\.mjs: it cannot be imported: /),
      expect.stringMatching(
        /^ {2}d-import\.mjs: it cannot be imported: Cannot find package 'nowhere-to-be-found'/,
      ),
    ]);
  });

  test('does not start with two jobs of one name', async (t) => {
    const { worker, write, folder } = await product(t);
    await write(
      'echo.mjs',
      'export default { name: "example.echo", payload: { safeParse() {} }, run() {} };',
    );
    const it = await worker({ WORKER_PROCESSORS: folder }, { isStarted: false });

    expect(await it.exited).toBe(1);
    expect(it.errors().trim()).toBe(
      "echo.mjs: a job named 'example.echo' is already there, from built in; give one of them another name",
    );
  });

  test('tells every fault of its environment in one message', async (t) => {
    const { worker } = await product(t);
    const it = await worker({ WORKER_QUEUES: 'a b', EGRESS_ALLOW: '10.0.0.0/99' }, { isStarted: false });

    expect(await it.exited).toBe(1);
    expect(it.errors()).toMatch(
      /^The configuration has 2 faults:\n {2}WORKER_QUEUES: .*\n {2}EGRESS_ALLOW: /,
    );
  });

  test('tells which port is taken', async (t) => {
    const { worker } = await product(t);
    const first = await worker();
    const { port } = await first.logged('health listening');
    const second = await worker({ WORKER_HEALTH_PORT: String(port) }, { isStarted: false });

    expect(await second.exited).toBe(1);
    expect(second.errors()).toContain(`WORKER_HEALTH_PORT: got ${port} (EADDRINUSE)`);
  });

  test('finishes what it runs on SIGTERM, tells that it stops, and ends with 0', async (t) => {
    const { jobs, worker, result } = await product(t);
    const it = await worker();
    const { id } = await jobs.enqueue('work', { name: 'example.echo', data: { delay: 1_500 } });
    await vi.waitFor(async () => expect((await jobs.get('work', id)).state).toBe('active'), 5_000);

    it.child.kill('SIGTERM');
    await it.logged('stopping');
    const ready = await it.ask('/readyz');

    expect([ready.status, ((await ready.json()) as { status: string }).status]).toEqual([503, 'stopping']);
    expect(await it.exited).toBe(0);
    expect(await result('work', id)).toMatchObject({ kind: 'completed' });
  });

  test('returns what outlasts its deadline to the queue, uncounted', async (t) => {
    const { jobs, worker } = await product(t);
    const it = await worker({ SHUTDOWN_DEADLINE_SECONDS: '0' });
    const { id } = await jobs.enqueue('work', { name: 'example.echo', data: { delay: 60_000 } });
    await vi.waitFor(async () => expect((await jobs.get('work', id)).state).toBe('active'), 5_000);

    expect(await it.end('SIGTERM')).toBe(0);

    const { state, attempts, error } = await jobs.get('work', id);
    expect({ state, made: attempts.made, error }).toEqual({ state: 'waiting', made: 0, error: null });
  });

  test('ends without waiting when it is asked a second time', async (t) => {
    const { jobs, worker } = await product(t);
    const it = await worker();
    const { id } = await jobs.enqueue('work', { name: 'example.echo', data: { delay: 60_000 } });
    await vi.waitFor(async () => expect((await jobs.get('work', id)).state).toBe('active'), 5_000);

    // Two signals right after each other are one wish: a terminal sends to the whole group.
    const asking = setInterval(() => it.child.kill('SIGTERM'), 500);
    t.onTestFinished(() => clearInterval(asking));

    expect(await it.exited).toBe(1);
    expect(it.log.map(({ msg }) => msg)).toContain('stopping');
  });

  test('tells what it consumes, and counts by outcome', async (t) => {
    const { jobs, worker, result } = await product(t);
    const it = await worker();
    const done = await jobs.enqueue('work', { name: 'example.echo' });
    const failed = await jobs.enqueue('work', { name: 'not a job of ours' });
    await Promise.all([result('work', done.id), result('work', failed.id)]);

    expect(await (await it.ask('/livez')).json()).toEqual({ status: 'alive', stuck: [] });
    expect((await it.ask('/readyz')).status).toBe(200);
    const metrics = await (await it.ask('/metrics')).text();
    expect(metrics).toContain(
      'sluice_job_attempts_total{queue="work",processor="example.echo",outcome="completed",code=""} 1',
    );
    expect(metrics).toContain(
      'sluice_job_attempts_total{queue="work",processor="unknown",outcome="fail",code="unknown_job"} 1',
    );
    expect(metrics).toMatch(/^sluice_worker_last_fetch_age_seconds\{queue="work"\} \d/m);
    expect((await it.ask('/nothing')).status).toBe(404);
    const attempts = it.log
      .filter(({ outcome }) => outcome !== undefined)
      .sort((a, b) => (String(a.outcome) < String(b.outcome) ? -1 : 1));
    expect(attempts).toMatchObject([
      { queue: 'work', job: 'example.echo', jobId: done.id, attempt: 1, outcome: 'completed' },
      {
        queue: 'work',
        job: 'not a job of ours',
        jobId: failed.id,
        attempt: 1,
        outcome: 'fail',
        code: 'unknown_job',
      },
    ]);
  });

  test('starts before its Redis, is not ready until it is there, and consumes then', async (t) => {
    const server = await testServer(t);
    await server.stop();
    const { worker } = await product(t);
    const it = await worker({ REDIS_URL: server.url });

    expect(await (await it.ask('/readyz')).json()).toEqual({
      status: 'redis_unavailable',
      queues: [],
      unserved: [],
      warnings: [],
    });
    expect((await it.ask('/livez')).status).toBe(200);
    await server.start();

    await vi.waitFor(async () => expect((await it.ask('/readyz')).status).toBe(200), 10_000);
  });
});
