/** This file owns F-01: Redis stopped, and every sort of request answered all the same. */
import type { FaultCase, Outcome, Run } from '../case.ts';
import { quantiles } from '../checker.ts';
import { Lab } from '../lab.ts';
import { metric, msUntilServed } from '../probes.ts';
import { sleep } from '../random.ts';
import { singleServer } from '../topology.ts';
import { Traffic } from '../traffic.ts';

const MIB = 1_048_576;
const HEAP = 'sluice_nodejs_heap_size_used_bytes';
const WARM_MS = 3_000;

export const stop: FaultCase = {
  id: 'F-01',
  title: 'Redis stopped under traffic of all sorts',
  about:
    'SIGTERM to redis-server while caches, jobs and queues are read and written; it stays away, then comes back.',
  target:
    'every request answered at once (p50 <= 5 ms, p99 <= 250 ms, max <= 2 s), a stranger still with 401, a 2xx within 1.5 s after',
  parameters: {
    seconds: { says: 'without Redis', long: 60, short: 5 },
    rate: { says: 'requests a second', long: 300, short: 100 },
  },
  run: stopRedis,
};

async function stopRedis(run: Run): Promise<Outcome> {
  const topology = await singleServer(run, { folder: run.folder, fsync: 'always' });
  const lab = await Lab.open(run, { topology, workers: 1 });
  const [api] = lab.product.apis;
  if (!api) throw new TypeError('there is no API');
  const traffic = new Traffic({ door: lab.door, random: run.random, perSecond: run.number('rate') });
  traffic.start();
  await sleep(WARM_MS);
  const heapBefore = await metric(api.url, HEAP);
  const strike = await lab.nemesis.strike('redis stopped', `${run.number('seconds')} s`, async () => {
    await topology.server.stop();
    await sleep(run.number('seconds') * 1_000);
    await topology.server.start();
  });
  const servedMs = await msUntilServed(lab);
  await sleep(WARM_MS);
  await traffic.stop();
  // Collected garbage is not growth.
  const heapAfter = await metric(api.url, HEAP);
  const during = traffic.replies.filter(
    ({ answeredAt, ms }) => answeredAt - ms >= strike.beganAt + 100 && answeredAt <= (strike.healedAt ?? 0),
  );
  const strangers = during.filter(({ name }) => name === 'a wrong key');
  const others = during.filter(({ name }) => name !== 'a wrong key');
  const { p50, p99, max } = quantiles(others.map(({ ms }) => ms));
  const unanswered = traffic.replies.filter(({ status }) => status === 0);
  const odd = others.filter(({ status }) => status !== 500 && status !== 503);
  const growth = (heapAfter - heapBefore) / MIB;
  return {
    topology: topology.name,
    faults: lab.nemesis.counts(),
    findings: [
      {
        what: `${others.length} requests without Redis`,
        target: 'p50 <= 5 ms, p99 <= 250 ms, max <= 2,000 ms',
        measured: `p50 ${p50.toFixed(1)} ms, p99 ${p99.toFixed(0)} ms, max ${max.toFixed(0)} ms`,
        holds: p50 <= 5 && p99 <= 250 && max <= 2_000,
      },
      {
        what: 'requests without an answer',
        target: '0',
        measured: `${unanswered.length} of ${traffic.replies.length}`,
        holds: unanswered.length === 0,
        note: unanswered[0]?.code,
      },
      {
        what: 'answers other than 500 (caches) and 503',
        target: '0',
        measured: String(odd.length),
        holds: odd.length === 0,
        note: odd[0] && `${odd[0].name}: ${odd[0].code}`,
      },
      {
        what: 'a wrong key is told so',
        target: 'always 401',
        measured: `${strangers.filter(({ status }) => status === 401).length} of ${strangers.length}`,
        holds: strangers.every(({ status }) => status === 401),
      },
      {
        what: 'growth of the heap',
        target: '<= 20 MiB',
        measured: `${growth.toFixed(1)} MiB`,
        holds: growth <= 20,
      },
      {
        what: 'from Redis being back to the first 2xx',
        target: '<= 1,500 ms',
        measured: `${Math.round(servedMs)} ms`,
        holds: servedMs <= 1_500,
      },
      {
        what: 'processes that ended by themselves',
        target: '0',
        measured: String(lab.product.crashes),
        holds: lab.product.crashes === 0,
      },
    ],
  };
}
