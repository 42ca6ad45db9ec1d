/** This file owns F-10: delayed jobs across restarts, never early, late only by what the fault took. */
import type { FaultCase, Outcome, Run } from '../case.ts';
import { judge, quantiles } from '../checker.ts';
import { Lab } from '../lab.ts';
import type { Strike } from '../nemesis.ts';
import { between, oneOf, sleep, sleepUntil } from '../random.ts';
import { singleServer } from '../topology.ts';

/** One clock for all processes, and a millisecond for each rounding. */
const EARLY_MS = 5;
const LATE_LIMIT_MS = 1_000;
const RECOVERY_LIMIT_MS = 3_000;
const ONLY_DELAYED = { single: 0, unkeyed: 0, batch: 0, delayed: 1, request: 0, leased: 0, delivery: 0 };

export const delayed: FaultCase = {
  id: 'F-10',
  title: 'Delayed jobs across restarts',
  about:
    'Jobs with delays of up to the given time, while Redis and workers are killed in turn, each back within two seconds.',
  target:
    'none early; late by at most 1 s (p99) in quiet times, done within 3 s of recovery else; I1-I8 hold',
  parameters: {
    acks: { says: 'jobs that go in, about', long: 6_000, short: 400 },
    seconds: { says: 'while jobs go in', long: 40, short: 8 },
    delay: { says: 'longest delay in seconds', long: 40, short: 6 },
    cycles: { says: 'kills of Redis and of a worker', long: 6, short: 2 },
  },
  run: delayAcross,
};

async function delayAcross(run: Run): Promise<Outcome> {
  const topology = await singleServer(run, { folder: run.folder, fsync: 'always' });
  const lab = await Lab.open(run, { topology });
  const [wholeMs, delayMs] = [run.number('seconds') * 1_000, run.number('delay') * 1_000];
  const jobsPerSecond = run.number('acks') / run.number('seconds');
  const load = lab.load({ jobsPerSecond, mix: ONLY_DELAYED, maxDelayMs: delayMs });
  const watch = lab.watch(load);
  const begun = Date.now();
  const cycles = run.number('cycles');
  const cycleMs = (wholeMs + delayMs) / (cycles + 1);
  let filling: Promise<void> | undefined;
  for (let cycle = 1; cycle <= cycles; cycle += 1) {
    filling ??= sleepUntil(begun + wholeMs).then(() => load.pause());
    await sleepUntil(begun + cycle * cycleMs);
    if (cycle % 2 === 1) {
      const downMs = Math.round(between(run.random, 500, 2_000));
      await lab.nemesis.strike('redis kill -9', `away for ${downMs} ms`, async () => {
        await topology.server.kill();
        await sleep(downMs);
        await topology.server.start();
      });
    } else {
      const worker = oneOf(run.random, lab.product.workers);
      await lab.nemesis.strike('worker kill -9', worker.name, async () => {
        await worker.end('SIGKILL');
        worker.start();
        await worker.untilAnswers('/readyz');
      });
    }
  }
  await filling;
  const evidence = await lab.gather({ load, settleMs: delayMs + 60_000 });
  watch.end();
  const redisKills = lab.nemesis.strikes.filter(({ name }) => name === 'redis kill -9');
  const quiet: number[] = [];
  const disturbed: number[] = [];
  let early = 0;
  for (const entry of evidence.entries) {
    const doneAt = Math.min(...(evidence.effects.get(entry.key)?.calls ?? []));
    if (entry.class !== 'ok' || !Number.isFinite(doneAt)) continue;
    if (doneAt < entry.sentAt + entry.delayMs - EARLY_MS) early += 1;
    const dueAt = entry.answeredAt + entry.delayMs;
    const strike = redisKills.find((each) => isDisturbedBy(each, dueAt));
    if (strike) disturbed.push(doneAt - Math.max(dueAt, strike.healedAt ?? dueAt));
    else quiet.push(doneAt - dueAt);
  }
  const [calm, after] = [quantiles(quiet), quantiles(disturbed)];
  return {
    topology: topology.name,
    verdict: judge(evidence),
    faults: lab.nemesis.counts(),
    findings: [
      { what: 'jobs done early', target: '0', measured: String(early), holds: early === 0 },
      {
        what: `lateness of ${calm.count} jobs due in quiet times`,
        target: `p99 <= ${LATE_LIMIT_MS} ms`,
        measured: `p50 ${calm.p50} ms, p99 ${calm.p99} ms, max ${calm.max} ms`,
        holds: calm.p99 <= LATE_LIMIT_MS,
        note:
          calm.max > LATE_LIMIT_MS
            ? 'the latest were with a worker that was killed: its lock of 30 s'
            : undefined,
      },
      {
        what: `from recovery to done, of ${after.count} jobs due while Redis was away`,
        target: `p99 <= ${RECOVERY_LIMIT_MS} ms`,
        measured: `p50 ${after.p50} ms, p99 ${after.p99} ms, max ${after.max} ms`,
        holds: after.p99 <= RECOVERY_LIMIT_MS,
      },
    ],
  };
}

function isDisturbedBy({ beganAt, healedAt = Number.POSITIVE_INFINITY }: Strike, dueAt: number): boolean {
  return dueAt >= beganAt - LATE_LIMIT_MS && dueAt <= healedAt + RECOVERY_LIMIT_MS;
}
