/** This file owns F-04: Redis away for a while, with idle and busy workers, who take jobs again at once. */
import type { FaultCase, Outcome, Run } from '../case.ts';
import { Lab } from '../lab.ts';
import { msUntilCalled, msUntilConsumed } from '../probes.ts';
import { sleep } from '../random.ts';
import { singleServer } from '../topology.ts';

const CONSUMED_LIMIT_MS = 3_000;
/** A queue in which nothing happens but this question. */
const IDLE_QUEUE = 'idle';
const BETWEEN_MS = 2_000;

export const outages: FaultCase = {
  id: 'F-04',
  title: 'Redis away for a while',
  about:
    'kill -9 to redis-server, which stays away for each of the lengths, while one queue is under load and another has had nothing to do; then it starts from its file.',
  target: 'both queues are consumed within 3 s of Redis being back, no process is restarted, I1-I8 hold',
  parameters: {
    lengths: { says: 'seconds of the outages', long: '0.5,3,7,15,40', short: '7' },
    rounds: { says: 'how often all of them', long: 1, short: 1 },
    rate: { says: 'jobs a second', long: 40, short: 30 },
  },
  run: goAway,
};

async function goAway(run: Run): Promise<Outcome> {
  const lengths = run.text('lengths').split(',').map(Number);
  const topology = await singleServer(run, { folder: run.folder, fsync: 'always' });
  const lab = await Lab.open(run, { topology, otherQueues: [IDLE_QUEUE] });
  await msUntilConsumed(lab, IDLE_QUEUE, 'idle-first');
  const load = lab.load({ jobsPerSecond: run.number('rate') });
  const watch = lab.watch(load);
  const rows: { seconds: number; idleMs: number; busyMs: number }[] = [];
  for (let round = 0; round < run.number('rounds'); round += 1) {
    for (const seconds of lengths) {
      await sleep(BETWEEN_MS);
      await lab.nemesis.strike('redis away', `${seconds} s`, async () => {
        await topology.server.kill();
        await sleep(seconds * 1_000);
        await topology.server.start();
      });
      const calls = await lab.sink.calls();
      const [idleMs, busyMs] = await Promise.all([
        msUntilConsumed(lab, IDLE_QUEUE, `idle-${round}-${seconds}`),
        msUntilCalled(lab, calls),
      ]);
      rows.push({ seconds, idleMs, busyMs });
    }
  }
  await sleep(BETWEEN_MS);
  watch.end();
  const verdict = await lab.check({ load });
  return {
    topology: topology.name,
    verdict,
    faults: lab.nemesis.counts(),
    findings: rows.map(({ seconds, idleMs, busyMs }) => ({
      what: `consumed after ${seconds} s without Redis`,
      target: `<= ${CONSUMED_LIMIT_MS} ms`,
      measured: `idle queue ${Math.round(idleMs)} ms, busy queues ${Math.round(busyMs)} ms`,
      holds: Math.max(idleMs, busyMs) <= CONSUMED_LIMIT_MS,
    })),
  };
}
