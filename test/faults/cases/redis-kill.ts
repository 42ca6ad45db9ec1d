/** This file owns F-02 and F-02b: Redis killed under load, again and again, with each way of writing its file. */
import type { FaultCase, Outcome, Run } from '../case.ts';
import { quantiles } from '../checker.ts';
import { Lab } from '../lab.ts';
import { msUntilServed } from '../probes.ts';
import { between, sleepUntil } from '../random.ts';
import { type Fsync, singleServer } from '../topology.ts';

/** What comes before the first kill, and after the last. */
const QUIET_MS = 2_000;
const RECOVERY_LIMIT_MS = 1_500;

function redisKill(options: { id: string; fsync: Fsync; cycles: number; acks: number }): FaultCase {
  return {
    id: options.id,
    title: `Redis killed and started again (appendfsync ${options.fsync})`,
    about:
      'kill -9 to redis-server at a random moment of each cycle, up to 1.5 s without it, then a start from its file, while jobs go in singly, in batches, delayed and with retries.',
    target: 'I1-I8 hold: nothing lost, one job for each idempotency key',
    parameters: {
      cycles: { says: 'how often Redis is killed', long: options.cycles, short: 3 },
      acks: { says: 'jobs that go in, about', long: options.acks, short: 600 },
      seconds: { says: 'of one cycle', long: 4, short: 3 },
    },
    run: (run) => killRedis(run, options.fsync),
  };
}

async function killRedis(run: Run, fsync: Fsync): Promise<Outcome> {
  const [cycles, cycleMs] = [run.number('cycles'), run.number('seconds') * 1_000];
  const topology = await singleServer(run, { folder: run.folder, fsync });
  const lab = await Lab.open(run, { topology });
  const wholeMs = cycles * cycleMs + 2 * QUIET_MS;
  const load = lab.load({ jobsPerSecond: run.number('acks') / (wholeMs / 1_000) });
  const watch = lab.watch(load);
  const begun = Date.now() + QUIET_MS;
  const servedAfterMs: number[] = [];
  for (let cycle = 0; cycle < cycles; cycle += 1) {
    const downMs = Math.round(between(run.random, 50, 1_500));
    await sleepUntil(begun + cycle * cycleMs + run.random() * Math.max(0, cycleMs - downMs - 1_000));
    await lab.nemesis.strike('redis kill -9', `away for ${downMs} ms`, async () => {
      await topology.server.kill();
      await sleepUntil(Date.now() + downMs);
      await topology.server.start();
    });
    servedAfterMs.push(await msUntilServed(lab));
  }
  await sleepUntil(begun + cycles * cycleMs + QUIET_MS);
  watch.end();
  const verdict = await lab.check({ load });
  const served = quantiles(servedAfterMs);
  return {
    topology: topology.name,
    verdict,
    faults: lab.nemesis.counts(),
    findings: [
      {
        what: 'from Redis being back to the first 2xx',
        target: `<= ${RECOVERY_LIMIT_MS} ms`,
        measured: `p50 ${Math.round(served.p50)} ms, max ${Math.round(served.max)} ms`,
        holds: served.max <= RECOVERY_LIMIT_MS,
      },
    ],
  };
}

export const redisKills: readonly FaultCase[] = [
  redisKill({ id: 'F-02', fsync: 'always', cycles: 50, acks: 100_000 }),
  redisKill({ id: 'F-02b', fsync: 'everysec', cycles: 20, acks: 40_000 }),
];
