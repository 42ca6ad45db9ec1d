/** This file owns F-15: a Redis that comes back empty, which somebody has to be told. */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { until } from '../../e2e/product.ts';
import type { FaultCase, Outcome, Run } from '../case.ts';
import { Lab } from '../lab.ts';
import { msUntilConsumed, msUntilServed } from '../probes.ts';
import { sleep } from '../random.ts';
import { singleServer } from '../topology.ts';

const QUEUE = 'before';
const ALARM_LIMIT_MS = 5_000;
const RECOVERY_LIMIT_MS = 3_000;
/** What readiness says of it, in API and worker. */
const ALARM = 'data_loss_suspected';

export const empty: FaultCase = {
  id: 'F-15',
  title: 'Redis restarted empty',
  about:
    'kill -9 to redis-server, its append-only file removed, and a start: it answers, and has forgotten every job.',
  target:
    'API and worker tell of it within 5 s (/readyz: data_loss_suspected), and serve and consume again within 3 s',
  parameters: { jobs: { says: 'delayed jobs that are lost with it', long: 200, short: 20 } },
  run: emptyRedis,
};

async function emptyRedis(run: Run): Promise<Outcome> {
  const topology = await singleServer(run, { folder: run.folder, fsync: 'always' });
  const { server } = topology;
  const lab = await Lab.open(run, { topology, workers: 1, queues: [QUEUE] });
  await msUntilConsumed(lab, QUEUE, 'first');
  const item = {
    name: 'fault.effect',
    data: { key: 'forgotten', url: lab.sink.url },
    opts: { delay: 600_000 },
  };
  const resource = Array.from({ length: run.number('jobs') }, () => item);
  const put = await lab.door.call(`/queues/${QUEUE}/jobs`, { method: 'POST', json: { resource } });
  if (put.status !== 201) throw new Error(`the jobs were answered with ${put.code}`);
  // Time to write down which data set this is.
  await sleep(3_000);
  await lab.nemesis.strike('redis emptied', `${resource.length} jobs`, async () => {
    await server.kill();
    await rm(join(server.folder, 'appendonlydir'), { recursive: true, force: true });
    await server.start();
  });
  const backAt = Date.now();
  const [servedMs, consumedMs, ...alarms] = await Promise.all([
    msUntilServed(lab),
    msUntilConsumed(lab, QUEUE, 'after'),
    ...[...lab.product.apis, ...lab.product.workers].map(async ({ name, url }) => ({
      name,
      ms: await until(
        async () => ((await readiness(url)).includes(ALARM) ? Date.now() - backAt : undefined),
        2 * ALARM_LIMIT_MS,
        50,
      ).catch(() => undefined),
      said: await readiness(url),
    })),
  ]);
  return {
    topology: topology.name,
    faults: lab.nemesis.counts(),
    findings: [
      {
        what: 'recovered',
        target: `<= ${RECOVERY_LIMIT_MS} ms`,
        measured: `served ${Math.round(servedMs)} ms, consumed ${Math.round(consumedMs)} ms`,
        holds: Math.max(servedMs, consumedMs) <= RECOVERY_LIMIT_MS,
      },
      ...alarms.map(({ name, ms, said }) => ({
        what: `${name} tells that data may be lost`,
        target: `<= ${ALARM_LIMIT_MS} ms`,
        measured: ms === undefined ? 'it does not' : `${ms} ms`,
        holds: ms !== undefined && ms <= ALARM_LIMIT_MS,
        note: ms === undefined ? `/readyz says ${said.slice(0, 200)}` : undefined,
      })),
      {
        what: 'processes that ended by themselves',
        target: '0',
        measured: String(lab.product.crashes),
        holds: lab.product.crashes === 0,
      },
    ],
  };
}

async function readiness(url: string): Promise<string> {
  return await (await fetch(`${url}/readyz`, { signal: AbortSignal.timeout(5_000) })).text();
}
