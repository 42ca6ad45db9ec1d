import { createClient, LeaseWorker, type LeaseWorkerOptions, routes } from '@sluice/contract';
import { describe, expect, it, type TestContext } from 'vitest';
import { startApi } from './harness.ts';

const params = { queue: 'pull-work' };

async function setup(t: TestContext, fetching: typeof fetch = fetch) {
  const api = await startApi(t, { LEASE_CHECK_SECONDS: '1' });
  const clientOptions = { baseUrl: api.url, apiKey: api.key };
  const client = createClient(routes, clientOptions);
  const errors: unknown[] = [];
  return {
    client,
    errors,
    work(options: Pick<LeaseWorkerOptions, 'processor'> & Partial<LeaseWorkerOptions>): LeaseWorker {
      const worker = new LeaseWorker({
        client: createClient(routes, { ...clientOptions, fetch: fetching }),
        queue: params.queue,
        onError: (error) => errors.push(error),
        ...options,
      });
      t.onTestFinished(() => worker.stop(0));
      worker.start();
      return worker;
    },
    async enqueue(data: unknown = {}, opts = {}): Promise<string> {
      const enqueued = await client.enqueueJobs({ params, body: { name: 'n', data, opts } });
      return (enqueued as { id: string }).id;
    },
    job: async (id: string) => await client.getJob({ params: { ...params, id } }),
    ended: (id: string) =>
      client.getJobResult({ params: { ...params, id }, query: { wait: '20' } }) as Promise<{
        state: string;
        result: unknown;
        error: unknown;
      }>,
  };
}

function gate() {
  let open: () => void = () => undefined;
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open };
}

const aborted = (signal: AbortSignal) =>
  new Promise<string>((resolve) =>
    signal.addEventListener('abort', () => resolve((signal.reason as Error).name), { once: true }),
  );

describe('a worker over HTTP', () => {
  it('runs every job once, so many at a time, and tells their results', async (t) => {
    const { client, work, errors } = await setup(t);
    const total = 150;
    let [running, most] = [0, 0];
    const runs: unknown[] = [];
    const resource = Array.from({ length: total }, (_, index) => ({ name: 'n', data: index }));
    await client.enqueueJobs({ params, body: { resource } });

    work({
      concurrency: 20,
      processor: async ({ data }) => {
        running += 1;
        most = Math.max(most, running);
        await new Promise((resolve) => setImmediate(resolve));
        running -= 1;
        runs.push(data);
        return { twice: (data as number) * 2 };
      },
    });

    await expect
      .poll(async () => (await client.getQueue({ params })).counts, { timeout: 10_000 })
      .toMatchObject({ completed: total, active: 0, waiting: 0 });
    expect(runs.sort((a, b) => Number(a) - Number(b))).toEqual(resource.map(({ data }) => data));
    expect(most).toBe(20);
    expect(errors).toEqual([]);
  });

  it('tries again what throws, and fails for good what says so or cannot be written', async (t) => {
    const { work, enqueue, ended } = await setup(t);
    const attempts: number[] = [];
    work({
      processor: ({ data }, { attempt }) => {
        if (data === 'final') throw Object.assign(new Error('closed'), { retryable: false });
        if (data === 'large') return 'x'.repeat(20_000);
        if (data === 'loop') return 1n;
        attempts.push(attempt);
        if (attempt < 3) throw Object.assign(new Error('not yet'), { retryAfterMs: 20 });
        return 'at last';
      },
    });

    const ids = await Promise.all(
      ['again', 'final', 'large', 'loop'].map((data) => enqueue(data, { attempts: data === 'loop' ? 1 : 3 })),
    );
    const [again, final, large, loop] = await Promise.all(ids.map(ended));

    expect([again?.state, again?.result, attempts]).toEqual(['completed', 'at last', [1, 2, 3]]);
    expect(final?.error).toEqual({ code: 'fatal', message: 'closed' });
    expect(large?.error).toMatchObject({
      code: 'fatal',
      message: expect.stringContaining('above the limit'),
    });
    expect(loop).toMatchObject({ state: 'failed', error: { code: 'error' } });
  });

  it('keeps a job longer than its lease by heartbeats', async (t) => {
    const { work, enqueue, ended, job } = await setup(t);
    const id = await enqueue();
    const startedAt = Date.now();
    work({
      leaseMs: 1_000,
      processor: async (_, { progress, log }) => {
        await progress({ half: true });
        await log('working', 'still');
        await expect.poll(() => Date.now() - startedAt, { timeout: 5_000 }).toBeGreaterThan(2_500);
      },
    });

    expect(await ended(id)).toMatchObject({ state: 'completed', result: null });
    expect(await job(id)).toMatchObject({
      progress: { half: true },
      attempts: { made: 1, started: 1, lost: 0 },
    });
  });

  it('aborts the signal of a job that is cancelled, or is lost', async (t) => {
    const { client, work, enqueue, ended } = await setup(t);
    const reasons: Promise<string>[] = [];
    work({
      leaseMs: 1_000,
      processor: async (_, { signal }) => {
        const reason = aborted(signal);
        reasons.push(reason);
        return await reason;
      },
    });
    const id = await enqueue();
    await expect.poll(() => reasons.length).toBe(1);
    await client.cancelJob({ params: { ...params, id } });
    expect(await reasons[0]).toBe('cancelled');
    expect(await ended(id)).toMatchObject({ state: 'cancelled', result: null });

    await enqueue();
    await expect.poll(() => reasons.length).toBe(2);
    await client.obliterateQueue({
      params,
      body: { force: true },
      headers: { 'X-Confirm': params.queue },
    });
    expect(await reasons[1]).toBe('lease_lost');
  });

  it('stops when what runs has ended and been told, and takes no more', async (t) => {
    const { work, enqueue, job } = await setup(t);
    const [started, ending] = [gate(), gate()];
    const worker = work({
      concurrency: 1,
      processor: async () => {
        started.open();
        await ending.opened;
        return 'done';
      },
    });
    const [first, second] = [await enqueue(), await enqueue()];
    await started.opened;

    const stopping = worker.stop();
    ending.open();
    await stopping;

    expect([(await job(first)).state, (await job(second)).state]).toEqual(['completed', 'waiting']);
    expect(worker.running).toBe(0);
  });

  it('gives back what does not end before the deadline of its stop', async (t) => {
    const { work, enqueue, job } = await setup(t);
    const started = gate();
    const worker = work({
      processor: (_, { signal }) => {
        started.open();
        return aborted(signal).then(() => gate().opened);
      },
    });
    const id = await enqueue();
    await started.opened;

    await worker.stop(0);

    expect(await job(id)).toMatchObject({ state: 'waiting', attempts: { made: 0, lost: 0 } });
  });

  it('goes on after a server that did not answer, and tells a result until it is known', async (t) => {
    let failures = 2;
    const { work, enqueue, ended, errors } = await setup(t, async (input, init) => {
      const answer = await fetch(input, init);
      if (String(input).includes('/leases/complete') && failures-- > 0)
        throw new TypeError('connection lost');
      return answer;
    });
    const id = await enqueue();

    const worker = work({ processor: () => 'kept' });

    expect(await ended(id)).toMatchObject({ state: 'completed', result: 'kept' });
    await expect.poll(() => errors.length, { timeout: 5_000 }).toBe(2);
    await worker.stop();
    expect(errors).toHaveLength(2);
  });

  it('refuses a bound it cannot keep', () => {
    const options = { client: {} as LeaseWorkerOptions['client'], queue: 'q', processor: () => 1 };

    for (const concurrency of [0, 101, 1.5])
      expect(() => new LeaseWorker({ ...options, concurrency })).toThrow(RangeError);
  });
});
