import { execFileSync } from 'node:child_process';
import { resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, type TestContext } from 'vitest';
import { KEY, OwnRedis, type Product, Program, SYNCED, startProduct, until } from './product.ts';

const ROOT = resolve(import.meta.dirname, '../..');
/** Heartbeats come every second. */
const LEASE_SECONDS = '3';

/** What `worker.sh` is to run: the processors of `worker.py`, as far as a shell has them. */
const COMMAND = `
case $JOB_NAME in
  greet) jq -e 'if .name then {greeting: "Hello \\(.name)"} else error("whom?") end' ;;
  count) exec sleep "$(jq .to)" ;;
  *) echo "unknown" >&2 && exit 65 ;;
esac`;

const CLIENTS = [
  {
    name: 'worker.py',
    needs: ['python3'],
    commandFor: (queue: string) => [
      ...['python3', 'examples/worker.py', queue],
      ...['--lease', LEASE_SECONDS, '--grace', '1', '--concurrency', '2'],
    ],
  },
  {
    name: 'worker.sh',
    needs: ['bash', 'curl', 'jq'],
    commandFor: (queue: string) => ['bash', 'examples/worker.sh', queue, 'bash', '-c', COMMAND],
  },
] as const;

interface JobBody {
  state: string;
  attempts: { made: number; started: number };
  error: { message: string } | null;
}

describe.each(CLIENTS)('$name', ({ name, needs, commandFor }) => {
  const cleanUps: (() => Promise<void> | void)[] = [];
  let redis: OwnRedis;
  let product: Product;
  let queues = 0;

  beforeAll(async () => {
    for (const program of needs) {
      try {
        execFileSync('sh', ['-c', `command -v ${program}`]);
      } catch (cause) {
        throw new Error(`${name} needs ${program}, which is not here: install it, or let npm test do so`, {
          cause,
        });
      }
    }
    const suite = { onTestFinished: (cleanUp: () => Promise<void> | void) => void cleanUps.unshift(cleanUp) };
    redis = await OwnRedis.start(suite, SYNCED);
    product = await startProduct(suite, redis.url, { WORKER_QUEUES: 'elsewhere' });
  }, 120_000);

  afterAll(async () => {
    for (const cleanUp of cleanUps) await cleanUp();
  });

  /** A queue of the test's own, and the client at work on it. */
  async function start(t: TestContext) {
    queues += 1;
    const queue = `pull-${queues}`;
    const [command, ...args] = commandFor(queue) as [string, ...string[]];
    const env = {
      ...process.env,
      SLUICE_URL: product.url,
      SLUICE_API_KEY: KEY,
      LEASE_SECONDS,
      // A client that is killed leaves its files.
      TMPDIR: product.directory,
    };
    const client = new Program(command, args, env, ROOT);
    t.onTestFinished(() => client.kill());
    t.onTestFailed(() => console.error(client.output));
    await client.says(/taking jobs/);
    const path = `/queues/${queue}/jobs`;
    return {
      client,
      async add(job: string, data: unknown, opts: unknown = {}): Promise<string> {
        const answer = await product.call(path, { method: 'POST', json: { name: job, data, opts } });
        return ((await answer.json()) as { id: string }).id;
      },
      result: async (id: string) => await (await product.call(`${path}/${id}/result?wait=20`)).json(),
      job: async (id: string) => (await (await product.call(`${path}/${id}`)).json()) as JobBody,
      cancel: (id: string) => product.call(`${path}/${id}/cancel`, { method: 'POST' }),
    };
  }

  it('runs jobs and tells their results', { timeout: 30_000 }, async (t) => {
    const { add, result } = await start(t);

    const ids = await Promise.all(['Ada', 'Grace', 'Edsger'].map((each) => add('greet', { name: each })));

    expect(await Promise.all(ids.map(result))).toMatchObject(
      ['Ada', 'Grace', 'Edsger'].map((each) => ({
        state: 'completed',
        result: { greeting: `Hello ${each}` },
      })),
    );
  });

  it('has a failed job tried again, and one it does not know not', { timeout: 30_000 }, async (t) => {
    const { add, result, job } = await start(t);

    const failing = await add('greet', {}, { attempts: 2 });
    const unknown = await add('nothing', {}, { attempts: 2 });

    expect(await result(failing)).toMatchObject({ state: 'failed' });
    expect(await result(unknown)).toMatchObject({ state: 'failed' });
    expect((await job(failing)).attempts.made).toBe(2);
    expect(await job(unknown)).toMatchObject({
      attempts: { made: 1 },
      error: { message: expect.stringMatching(/know/) as string },
    });
  });

  it('fails a job whose result is refused, instead of doing it again', { timeout: 30_000 }, async (t) => {
    const { add, result, job } = await start(t);

    const id = await add('greet', { name: 'x'.repeat(20_000) }, { attempts: 2 });

    expect(await result(id)).toMatchObject({ state: 'failed' });
    expect((await job(id)).attempts).toMatchObject({ made: 1, started: 1 });
  });

  it('stops the work of a job that was cancelled, and goes on', { timeout: 30_000 }, async (t) => {
    const { client, add, result, job, cancel } = await start(t);
    const id = await add('count', { to: 60 });
    await client.says(/count, attempt 1: begun/);

    expect((await cancel(id)).status).toBe(200);

    await until(async () => ((await job(id)).state === 'cancelled' ? true : undefined));
    expect(await result(await add('greet', { name: 'Ada' }))).toMatchObject({ state: 'completed' });
  });

  it('gives back what it holds when it is told to stop', { timeout: 30_000 }, async (t) => {
    const { client, add, job } = await start(t);
    const id = await add('count', { to: 60 });
    await client.says(/count, attempt 1: begun/);

    client.signal('SIGTERM');

    expect(await client.exited).toBe(0);
    expect(await job(id)).toMatchObject({ state: 'waiting', attempts: { made: 0 } });
  });

  it('stops at once while it waits for a job', { timeout: 30_000 }, async (t) => {
    const { client } = await start(t);
    const toldAt = Date.now();

    client.signal('SIGINT');

    expect(await client.exited).toBe(0);
    expect(Date.now() - toldAt).toBeLessThan(5_000);
  });

  it('waits while nobody answers, and goes on', { timeout: 60_000 }, async (t) => {
    const { client, add, result } = await start(t);
    expect(await result(await add('greet', { name: 'Ada' }))).toMatchObject({ state: 'completed' });

    await redis.kill();
    await client.says(/again in/);
    await redis.start();

    await until(async () => ((await fetch(`${product.url}/readyz`)).ok ? true : undefined), 20_000);
    expect(await result(await add('greet', { name: 'Grace' }))).toMatchObject({ state: 'completed' });
  });

  it('says how it is used', { timeout: 30_000 }, () => {
    const [command, file] = commandFor('q') as [string, string];

    expect(execFileSync(command, [file, '--help'], { cwd: ROOT, encoding: 'utf8' })).toContain(
      'SLUICE_API_KEY=',
    );
  });
});
