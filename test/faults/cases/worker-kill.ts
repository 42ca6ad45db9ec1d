/** This file owns F-09: workers of every kind killed while they work, and one held until its jobs are another's. */
import type { FaultCase, Outcome, Run } from '../case.ts';
import { DELIVERY_QUEUE, type Kind, LEASED_QUEUE } from '../kinds.ts';
import { Lab } from '../lab.ts';
import { oneOf, sleep, sleepUntil } from '../random.ts';
import { singleServer } from '../topology.ts';

/** Longer than a lock (30 s). */
const HOLD_MS = 45_000;
/** Lock 30 s, looked for every 5 s: a dead worker's job is handed out again within 30 + 2 × 5 s. */
const REDELIVERY_LIMIT_MS = 40_000;
/** So that kills hit calls under way. */
const SINK_DELAY_MS = 30;
const MIX: Readonly<Record<Kind, number>> = {
  ...{ single: 0.2, unkeyed: 0, batch: 0.2, delayed: 0 },
  ...{ request: 0.2, leased: 0.2, delivery: 0.2 },
};

export const workerKill: FaultCase = {
  id: 'F-09',
  title: 'Workers killed while they work',
  about:
    'kill -9 to one of two worker processes and two workers over HTTP every two seconds, each replaced at once, while they run own jobs, requests, leases and deliveries; and a worker process held by SIGSTOP for 45 s, beyond its locks, which then goes on.',
  target: 'I1-I8 hold; a dead worker’s job is handed out again within 40 s',
  parameters: {
    acks: { says: 'jobs that go in, about', long: 20_000, short: 900 },
    seconds: { says: 'while jobs go in and workers are killed', long: 120, short: 10 },
    every: { says: 'seconds from one kill to the next', long: 2, short: 2 },
    holds: { says: 'workers held for 45 s, one after the other', long: 2, short: 0 },
  },
  run: killWorkers,
};

async function killWorkers(run: Run): Promise<Outcome> {
  const topology = await singleServer(run, { folder: run.folder, fsync: 'always' });
  const lab = await Lab.open(run, {
    ...{ topology, workers: 2, outsiders: 2, sinkDelayMs: SINK_DELAY_MS },
    otherQueues: [LEASED_QUEUE, DELIVERY_QUEUE],
  });
  const { product, nemesis } = lab;
  const wholeMs = run.number('seconds') * 1_000;
  const load = lab.load({ jobsPerSecond: run.number('acks') / (wholeMs / 1_000), mix: MIX });
  const watch = lab.watch(load);
  const begun = Date.now();
  const held = new Set<string>();
  const holding = (async () => {
    for (let hold = 0; hold < run.number('holds'); hold += 1) {
      const worker = oneOf(run.random, product.workers);
      held.add(worker.name);
      await nemesis.strike('worker SIGSTOP', `${worker.name} for 45 s`, async () => {
        worker.signal('SIGSTOP');
        await sleep(HOLD_MS);
        worker.signal('SIGCONT');
      });
      held.delete(worker.name);
    }
  })();
  for (let at = begun; at < begun + wholeMs; at += run.number('every') * 1_000) {
    await sleepUntil(at);
    const victims = [...product.workers, ...product.outsiders].filter(({ name }) => !held.has(name));
    const victim = oneOf(run.random, victims);
    await nemesis.strike('worker kill -9', victim.name, async () => {
      await victim.end('SIGKILL');
      victim.start();
    });
  }
  await Promise.all([holding, sleepUntil(begun + wholeMs)]);
  watch.end();
  const verdict = await lab.check({ load });
  const { max } = verdict.redeliveryMs;
  return {
    topology: topology.name,
    verdict,
    faults: nemesis.counts(),
    findings: [
      {
        what: 'until a job of a dead worker is handed out again',
        target: `<= ${REDELIVERY_LIMIT_MS / 1_000} s`,
        measured: `p50 ${(verdict.redeliveryMs.p50 / 1_000).toFixed(1)} s, max ${(max / 1_000).toFixed(1)} s of ${verdict.redeliveryMs.count}`,
        holds: max <= REDELIVERY_LIMIT_MS,
        note: 'between two calls of the sink for one job; deliveries count their schedule as well',
      },
    ],
  };
}
