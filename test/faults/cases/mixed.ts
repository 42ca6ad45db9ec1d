/** This file owns F-19: everything that may happen to one server and two of everything else, at random, for a given time. */
import type { FaultCase, Outcome, Run } from '../case.ts';
import { DELIVERY_QUEUE, type Kind, LEASED_QUEUE, USUAL_MIX } from '../kinds.ts';
import { Lab } from '../lab.ts';
import { between, oneOf, sleep } from '../random.ts';
import { singleServer, type Topology, withClient } from '../topology.ts';

const MIX: Readonly<Record<Kind, number>> = { ...USUAL_MIX, request: 0.02, leased: 0.02, delivery: 0.02 };

export const mixed: FaultCase = {
  id: 'F-19',
  title: 'Everything at random',
  about:
    'Two APIs, two workers and two workers over HTTP under load, while a seeded nemesis kills, holds and restarts any of them, Redis too, and cuts their connections, one fault after the other.',
  target: 'I1-I8 hold: nothing lost, one job for each idempotency key, back by itself',
  parameters: {
    seconds: { says: 'while faults come', long: 180, short: 20 },
    every: { says: 'seconds from one fault to the next, about', long: 2, short: 2 },
    acks: { says: 'jobs that go in, about', long: 45_000, short: 1_500 },
  },
  run: doAnything,
};

interface Setting {
  run: Run;
  lab: Lab;
  topology: Topology;
}

/** Each resolves when what it took away is back. */
const FAULTS: readonly ((setting: Setting) => Promise<unknown>)[] = [
  ({ run, lab, topology }) => {
    const downMs = Math.round(between(run.random, 50, 1_500));
    return lab.nemesis.strike('redis kill -9', `away for ${downMs} ms`, async () => {
      await topology.nodes[0]?.kill();
      await sleep(downMs);
      await topology.nodes[0]?.start();
    });
  },
  ({ run, lab, topology }) => {
    const heldMs = Math.round(between(run.random, 100, 3_000));
    return lab.nemesis.strike('redis SIGSTOP', `${heldMs} ms`, async () => {
      topology.nodes[0]?.freeze();
      await sleep(heldMs);
      topology.nodes[0]?.thaw();
    });
  },
  ({ lab, topology }) =>
    lab.nemesis.strike('CLIENT KILL', 'all', () =>
      withClient(topology.config, async (client) => {
        await client.call('CLIENT', 'KILL', 'TYPE', 'normal');
      }),
    ),
  (setting) => restart(setting, 'SIGKILL'),
  (setting) => restart(setting, 'SIGKILL'),
  (setting) => restart(setting, 'SIGTERM'),
  ({ run, lab }) => {
    const held = oneOf(run.random, [...lab.product.workers, ...lab.product.outsiders]);
    const heldMs = Math.round(between(run.random, 100, 3_000));
    return lab.nemesis.strike('worker SIGSTOP', `${held.name} for ${heldMs} ms`, async () => {
      held.signal('SIGSTOP');
      await sleep(heldMs);
      held.signal('SIGCONT');
    });
  },
];

function restart({ run, lab }: Setting, signal: 'SIGKILL' | 'SIGTERM'): Promise<unknown> {
  // Workers over HTTP hold nothing that a SIGTERM could save.
  const { apis, workers, outsiders, replicas } = lab.product;
  const victim = oneOf(run.random, signal === 'SIGTERM' ? [...apis, ...workers] : replicas);
  const name = outsiders.includes(victim) ? 'worker' : (victim.name.split('-')[0] as string);
  return lab.nemesis.strike(`${name} ${signal === 'SIGKILL' ? 'kill -9' : signal}`, victim.name, async () => {
    await victim.end(signal);
    victim.start();
  });
}

async function doAnything(run: Run): Promise<Outcome> {
  const topology = await singleServer(run, { folder: run.folder, fsync: 'always' });
  const lab = await Lab.open(run, {
    ...{ topology, apis: 2, workers: 2, outsiders: 2 },
    otherQueues: [LEASED_QUEUE, DELIVERY_QUEUE],
  });
  const wholeMs = run.number('seconds') * 1_000;
  const load = lab.load({ jobsPerSecond: run.number('acks') / run.number('seconds'), mix: MIX });
  const watch = lab.watch(load);
  const endsAt = Date.now() + wholeMs;
  while (Date.now() < endsAt) {
    await sleep(between(run.random, 0.5, 1.5) * run.number('every') * 1_000);
    await oneOf(run.random, FAULTS)({ run, lab, topology });
  }
  await Promise.all(
    [...lab.product.apis, ...lab.product.workers].map((each) => each.untilAnswers('/readyz')),
  );
  watch.end();
  const verdict = await lab.check({ load, isCutOffExpected: true });
  const faults = lab.nemesis.counts();
  const count = lab.nemesis.strikes.length;
  return {
    topology: `${topology.name}, two APIs, two workers, two workers over HTTP`,
    verdict,
    faults,
    findings: [
      {
        what: 'acknowledged jobs lost',
        target: '0',
        measured: `${verdict.lost} of ${verdict.acknowledged} through ${count} faults`,
        holds: verdict.lost === 0,
      },
    ],
  };
}
