/** This file owns F-11: schedulers that are put again and again by several APIs, through kills and an outage. */
import type { FaultCase, Outcome, Run } from '../case.ts';
import { judge } from '../checker.ts';
import { Lab } from '../lab.ts';
import { oneOf, sleep, sleepUntil } from '../random.ts';
import { singleServer } from '../topology.ts';

const QUEUE = 'scheduled';
const PERIODS_SECONDS = [1, 2, 3, 5, 10] as const;
/** What an outage may cost beside its own length: the way back, and one period. */
const RECOVERY_MS = 3_000;
/** BullMQ counts slots from 1970, so two jobs of one scheduler are at least a period apart. */
const SCHEDULED_ID = /^repeat:(.+):(\d+)$/;

interface Scheduler {
  id: string;
  everyMs: number;
}

export const schedulers: FaultCase = {
  id: 'F-11',
  title: 'Schedulers through kills and an outage',
  about:
    'Schedulers of 1 to 10 seconds, each put again and again by four APIs, while APIs, workers and Redis are killed, and Redis stays away for a while.',
  target: 'one job for each slot, never two; none is missing but those of the outage; no scheduler stops',
  parameters: {
    schedulers: { says: 'how many', long: 200, short: 20 },
    seconds: { says: 'before and after the outage, each', long: 30, short: 6 },
    outage: { says: 'seconds without Redis', long: 20, short: 3 },
    every: { says: 'seconds from one kill to the next', long: 5, short: 3 },
  },
  run: schedule,
};

async function schedule(run: Run): Promise<Outcome> {
  const topology = await singleServer(run, { folder: run.folder, fsync: 'always' });
  const lab = await Lab.open(run, { topology, apis: 4, queues: ['beside'], otherQueues: [QUEUE] });
  const all = Array.from({ length: run.number('schedulers') }, (_, index): Scheduler => {
    return { id: `s-${index}`, everyMs: (PERIODS_SECONDS[index % PERIODS_SECONDS.length] as number) * 1_000 };
  });
  const put = (scheduler: Scheduler) => putScheduler(lab, scheduler);
  for (const scheduler of all) while ((await put(scheduler)) !== 200) await sleep(50);
  const load = lab.load({ jobsPerSecond: 20 });
  const watch = lab.watch(load);
  let isPutting = true;
  const putting = (async () => {
    while (isPutting) {
      await put(oneOf(run.random, all));
      await sleep(20);
    }
  })();
  const harass = async () => {
    const endsAt = Date.now() + run.number('seconds') * 1_000;
    for (let at = Date.now() + 1_000; at < endsAt - 1_000; at += run.number('every') * 1_000) {
      await sleepUntil(at);
      const victim = oneOf(run.random, lab.product.replicas);
      await lab.nemesis.strike(`${victim.name.split('-')[0]} kill -9`, victim.name, async () => {
        await victim.end('SIGKILL');
        victim.start();
      });
    }
    await sleepUntil(endsAt);
  };
  const firedFrom = Date.now();
  await harass();
  const outage = await lab.nemesis.strike('redis away', `${run.number('outage')} s`, async () => {
    await topology.server.kill();
    await sleep(run.number('outage') * 1_000);
    await topology.server.start();
  });
  const backAt = outage.healedAt as number;
  await harass();
  await sleep(2 * (Math.max(...PERIODS_SECONDS) * 1_000));
  const firedTo = Date.now();
  isPutting = false;
  await putting;
  for (const { id } of all) await lab.door.call(`/queues/${QUEUE}/schedulers/${id}`, { method: 'DELETE' });
  watch.end();
  const evidence = await lab.gather({ load, isCutOffExpected: true });

  const fired = new Map<string, number[]>();
  for (const { id } of all) {
    const jobs = [...(evidence.effects.get(id)?.jobs ?? [])];
    fired.set(
      id,
      jobs.map((job) => Number(SCHEDULED_ID.exec(job)?.[2])).toSorted((a, b) => a - b),
    );
    // Nobody asked for these one by one.
    (evidence.effects as Map<string, unknown>).delete(id);
  }
  let twice = 0;
  let missing = 0;
  let missingInOutage = 0;
  let stopped = 0;
  let jobs = 0;
  for (const { id, everyMs } of all) {
    const slots = (fired.get(id) ?? []).filter((at) => at >= firedFrom && at <= firedTo);
    jobs += slots.length;
    if ((slots.at(-1) ?? 0) < firedTo - 2 * everyMs - RECOVERY_MS) stopped += 1;
    for (let index = 1; index < slots.length; index += 1) {
      const [before, after] = [slots[index - 1] as number, slots[index] as number];
      if (Math.floor(before / everyMs) === Math.floor(after / everyMs)) twice += 1;
      const skipped = Math.round((after - before) / everyMs) - 1;
      if (skipped <= 0) continue;
      const isOutage = before <= backAt + RECOVERY_MS && after >= outage.beganAt;
      if (isOutage) missingInOutage += skipped;
      else missing += skipped;
    }
  }
  return {
    topology: topology.name,
    verdict: judge(evidence),
    faults: lab.nemesis.counts(),
    findings: [
      { what: `slots with two jobs, of ${jobs}`, target: '0', measured: String(twice), holds: twice === 0 },
      { what: 'schedulers that stopped', target: '0', measured: String(stopped), holds: stopped === 0 },
      {
        what: 'slots without a job, outside the outage',
        target: '0',
        measured: String(missing),
        holds: missing === 0,
        note: `${missingInOutage} slots passed during the outage and are skipped, as documented`,
      },
    ],
  };
}

async function putScheduler(lab: Lab, { id, everyMs }: Scheduler): Promise<number> {
  const { status } = await lab.door.call(`/queues/${QUEUE}/schedulers/${id}`, {
    method: 'PUT',
    json: {
      schedule: { every: everyMs },
      name: 'fault.effect',
      data: { key: id, url: lab.sink.url },
    },
  });
  return status;
}
