/** This file owns F-08: API and workers are there before Redis, and before it has loaded its data. */
import type { FaultCase, Finding, Outcome, Run } from '../case.ts';
import { Lab } from '../lab.ts';
import { msUntilConsumed, msUntilServed } from '../probes.ts';
import { statusOf } from '../product.ts';
import { sleep } from '../random.ts';
import { singleServer, withClient } from '../topology.ts';

const QUEUE = 'boot';
const SERVED_LIMIT_MS = 1_000;
const ALIVE_LIMIT_MS = 10_000;
const KEYS = 10_000;
const FILL = `for n = 1, ARGV[1] do redis.call('SET', 'fill:' .. n, string.rep('x', 100)) end`;

export const bootOrder: FaultCase = {
  id: 'F-08',
  title: 'Started before Redis, and while Redis loads',
  about:
    'API and worker are started with no Redis there; it comes, is filled with 10,000 keys, is killed, and takes its time over loading them.',
  target: '/livez 200 at once, /readyz 503 until Redis serves, 2xx within 1 s after, no process ends',
  parameters: {
    away: { says: 'seconds without Redis', long: 10, short: 2 },
    loading: { says: 'seconds that Redis loads', long: 20, short: 4 },
  },
  run: bootWithoutRedis,
};

async function bootWithoutRedis(run: Run): Promise<Outcome> {
  const topology = await singleServer(run, {
    folder: run.folder,
    fsync: 'everysec',
    settings: ['--loading-process-events-interval-bytes', '1024'],
  });
  const { server } = topology;
  await server.kill();
  const lab = await Lab.open(run, { topology, workers: 1, queues: [QUEUE], isCold: true });
  const { product, nemesis } = lab;
  const findings: Finding[] = [];
  const serving = async (what: string) => {
    const [servedMs, consumedMs] = await Promise.all([
      msUntilServed(lab),
      msUntilConsumed(lab, QUEUE, `job ${what}`),
    ]);
    findings.push({
      what: `served ${what}`,
      target: `<= ${SERVED_LIMIT_MS} ms`,
      measured: `${Math.round(servedMs)} ms, a job done ${Math.round(consumedMs)} ms`,
      holds: servedMs <= SERVED_LIMIT_MS,
    });
  };
  const readiness = async (what: string) => {
    const replicas = [...product.apis, ...product.workers];
    const statuses = await Promise.all(
      replicas.flatMap(({ url }) => [statusOf(`${url}/livez`), statusOf(`${url}/readyz`)]),
    );
    findings.push({
      what: `/livez and /readyz of API and worker ${what}`,
      target: '200, 503 each',
      measured: statuses.join(', '),
      holds: statuses.every((status, index) => status === (index % 2 === 0 ? 200 : 503)),
    });
  };

  await nemesis.strike('start without redis', `${run.number('away')} s`, async () => {
    const startedAt = Date.now();
    for (const each of product.replicas) each.start();
    await Promise.all(product.replicas.map((each) => each.untilAnswers('/livez')));
    const aliveMs = Date.now() - startedAt;
    findings.push({
      what: 'API and worker alive',
      target: `<= ${ALIVE_LIMIT_MS} ms`,
      measured: `${aliveMs} ms`,
      holds: aliveMs <= ALIVE_LIMIT_MS,
    });
    await readiness('without Redis');
    await sleep(run.number('away') * 1_000);
    await server.start();
  });
  await serving('after Redis came');

  await withClient(topology.config, async (client) => {
    await client.eval(FILL, 0, KEYS);
    await client.call('BGREWRITEAOF');
    while (!/aof_rewrite_in_progress:0\r\naof_rewrite_scheduled:0/.test(await client.info('persistence')))
      await sleep(50);
  });
  const microseconds = Math.round((run.number('loading') * 1_000_000) / KEYS);
  await nemesis.strike('redis loads', `${run.number('loading')} s`, async () => {
    await server.kill();
    const started = server.start(['--key-load-delay', String(microseconds)]);
    await sleep((run.number('loading') * 1_000) / 2);
    await readiness('while Redis loads');
    await started;
  });
  await serving('after Redis had loaded');
  const load = lab.load({ jobsPerSecond: 20 });
  await sleep(2_000);
  const verdict = await lab.check({ load });
  return { topology: topology.name, verdict, faults: nemesis.counts(), findings };
}
