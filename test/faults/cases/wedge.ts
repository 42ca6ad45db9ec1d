/** This file owns F-04b: a worker whose connection for jobs is gone for good heals itself. */
import { join } from 'node:path';
import type { FaultCase, Outcome, Run } from '../case.ts';
import { Lab } from '../lab.ts';
import { msUntilConsumed } from '../probes.ts';
import { sleep } from '../random.ts';
import { singleServer } from '../topology.ts';

const HEALED_LIMIT_MS = 30_000;
const QUEUE = 'wedged';

export const wedge: FaultCase = {
  id: 'F-04b',
  title: 'A worker that no longer asks for jobs',
  about:
    'From within the only worker process, the connection on which BullMQ waits for jobs is dropped for good, as its versions 6.0.7 to 6.3.1 did after an outage, or its wait never ends; then a job is enqueued.',
  target: 'the watchdog has the job done within 30 s, and the process goes on',
  parameters: { rounds: { says: 'how often', long: 3, short: 1 } },
  run: wedgeWorker,
};

async function wedgeWorker(run: Run): Promise<Outcome> {
  const topology = await singleServer(run, { folder: run.folder, fsync: 'always' });
  const lab = await Lab.open(run, {
    ...{ topology, workers: 1, queues: [QUEUE] },
    workerImports: [join(import.meta.dirname, '../processors/_wedge.mjs')],
  });
  await msUntilConsumed(lab, QUEUE, 'first');
  const [worker] = lab.product.workers;
  const rows: { what: string; healedMs: number }[] = [];
  const heal = async (what: string, key: string) => {
    await lab.nemesis.strike(what, 'worker-1', async () => {
      rows.push({ what, healedMs: await msUntilConsumed(lab, QUEUE, key) });
    });
  };
  for (let round = 0; round < run.number('rounds'); round += 1) {
    await sleep(2_000);
    worker?.signal('SIGUSR2');
    await heal('connection for jobs dropped', `dropped-${round}`);
    await sleep(2_000);
    worker?.signal('SIGWINCH');
    // Ends the wait that goes on; the next has no end.
    await msUntilConsumed(lab, QUEUE, `last-${round}`);
    await heal('wait for jobs without end', `silent-${round}`);
  }
  const load = lab.load({ jobsPerSecond: 20 });
  await sleep(2_000);
  const verdict = await lab.check({ load });
  return {
    topology: topology.name,
    verdict,
    faults: lab.nemesis.counts(),
    findings: rows.map(({ what, healedMs }) => ({
      what: `${what}: until the next job was done`,
      target: `<= ${HEALED_LIMIT_MS / 1_000} s`,
      measured: `${(healedMs / 1_000).toFixed(1)} s`,
      holds: healedMs <= HEALED_LIMIT_MS,
    })),
  };
}
