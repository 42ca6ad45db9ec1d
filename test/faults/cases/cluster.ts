/** This file owns F-12 and F-13: masters of a Cluster killed, all of it stopped, and slots and nodes moved, under load. */
import { keyspace } from '@sluice/config';
import { until } from '../../e2e/product.ts';
import type { FaultCase, Finding, Outcome, Run } from '../case.ts';
import { quantiles } from '../checker.ts';
import { addressOf, type ClusterSet, clusterSet, type Member, NODE_TIMEOUT_MS } from '../cluster-set.ts';
import { setDurability } from '../durability.ts';
import { Lab } from '../lab.ts';
import { oneOf, sleep } from '../random.ts';
import { clusterCli } from '../redis-cli.ts';
import type { RedisServer } from '../topology.ts';
import { WriteProbe } from '../write-probe.ts';

const QUEUES = Array.from({ length: 20 }, (_, at) => `shard-${at}`);
const QUIET_MS = 2_000;
const OUTAGE_LIMIT_MS = NODE_TIMEOUT_MS + 3_000;
/** Of servers reading their files, and of a Cluster agreeing that it is one. */
const RESTART_LIMIT_MS = 10_000;
const AGREEMENT_LIMIT_MS = 30_000;
const MAX_REFUSED_SHARE = 0.005;

interface Kit {
  set: ClusterSet;
  lab: Lab;
  probe: WriteProbe;
  /** By queue. */
  slots: ReadonlyMap<string, number>;
}

export const clusterKill: FaultCase = {
  id: 'F-12',
  title: 'Masters of a Cluster killed, and all of it stopped and started',
  about:
    'kill -9 to one of three masters, which comes back as a replica of its own, while jobs go to 20 queues of durability replica; then kill -9 to all six nodes and a start from their files.',
  target: `I1-I8 hold; jobs for the queues of that master go in again within ${OUTAGE_LIMIT_MS} ms, and none for others is refused`,
  parameters: {
    kills: { says: 'masters killed', long: 5, short: 1 },
    stops: { says: 'times all nodes are killed', long: 1, short: 0 },
    rate: { says: 'jobs a second', long: 120, short: 60 },
  },
  run: killMasters,
};

async function killMasters(run: Run): Promise<Outcome> {
  const kit = await open(run);
  const { set, lab, probe, slots } = kit;
  const load = lab.load({ jobsPerSecond: run.number('rate') });
  const watch = lab.watch(load);
  probe.start();
  await sleep(QUIET_MS);
  const outages: number[] = [];
  const ofRedis = { replaced: [] as number[], whole: [] as number[] };
  const elsewhere = { sent: 0, refused: [] as string[] };
  for (let kill = 0; kill < run.number('kills'); kill += 1) {
    const victim = oneOf(run.random, await set.masters());
    const there = QUEUES.filter((queue) => holds(victim, slots.get(queue)));
    const others = QUEUES.filter((queue) => !there.includes(queue));
    const { beganAt } = await lab.nemesis.strike('master kill -9', victim.server.name, async () => {
      const killedAt = Date.now();
      await victim.server.kill();
      await untilReplaced(set, victim);
      ofRedis.replaced.push(Date.now() - killedAt);
      await victim.server.start();
      await set.untilWhole();
      ofRedis.whole.push(Date.now() - killedAt);
    });
    await sleep(QUIET_MS);
    outages.push(probe.outageMs(there, beganAt, Date.now()));
    const told = probe.refusals(others, beganAt, Date.now());
    elsewhere.sent += told.sent;
    elsewhere.refused.push(...told.refused);
  }
  const restarts: number[] = [];
  for (let stop = 0; stop < run.number('stops'); stop += 1) restarts.push(await stopAll(kit));
  watch.end();
  await probe.stop();
  const verdict = await lab.check({ load });
  const { p50, max } = quantiles(outages);
  const slowest = Math.max(0, ...restarts);
  return {
    topology: set.name,
    verdict,
    faults: lab.nemesis.counts(),
    findings: [
      {
        what: 'nothing could be enqueued to the queues of a master after its kill',
        target: `<= ${OUTAGE_LIMIT_MS} ms`,
        measured: `p50 ${Math.round(p50)} ms, max ${Math.round(max)} ms of ${outages.length}`,
        holds: max <= OUTAGE_LIMIT_MS,
        note: `${outages.join(', ')} ms, of which Redis took ${ofRedis.replaced.join(', ')} until the nodes had another master, and ${ofRedis.whole.join(', ')} until that one had a replica, which the queues ask for`,
      },
      {
        what: 'jobs for the queues of other masters refused meanwhile',
        target: '0',
        measured: `${elsewhere.refused.length} of ${elsewhere.sent}${elsewhere.refused[0] ? `, the first ${elsewhere.refused[0]}` : ''}`,
        holds: elsewhere.refused.length === 0,
      },
      ...(restarts.length > 0
        ? [
            {
              what: 'jobs go in to every queue after all nodes were started again',
              target: `<= ${RESTART_LIMIT_MS} ms`,
              measured: `${Math.round(slowest)} ms`,
              holds: slowest <= RESTART_LIMIT_MS,
            } satisfies Finding,
          ]
        : []),
    ],
  };
}

/** Answers from the start of the last node until every queue took jobs. */
async function stopAll({ set, lab, probe }: Kit): Promise<number> {
  let startedAt = 0;
  await lab.nemesis.strike('all nodes kill -9', `${set.servers.length} nodes, 2 s`, async () => {
    await Promise.all(set.servers.map((server) => server.kill()));
    await sleep(QUIET_MS);
    await Promise.all(set.servers.map((server) => server.start()));
    startedAt = Date.now();
    await set.untilWhole();
  });
  await sleep(QUIET_MS);
  return probe.outageMs(QUEUES, startedAt, Date.now());
}

export const clusterReshard: FaultCase = {
  id: 'F-13',
  title: 'Slots moved and nodes added and removed under load',
  about:
    'redis-cli --cluster reshard moves slots from one master to another, to a node that was just added with a replica of its own, and back before both are removed, while jobs go to 20 queues of durability replica.',
  target: 'I1-I8 hold; at most 0.5 % of the answers are refusals, all of them 503',
  parameters: {
    slots: { says: 'slots moved, in all', long: 4_000, short: 300 },
    rate: { says: 'jobs a second', long: 120, short: 60 },
  },
  run: reshard,
};

async function reshard(run: Run): Promise<Outcome> {
  const { set, lab, probe } = await open(run);
  const load = lab.load({ jobsPerSecond: run.number('rate') });
  const watch = lab.watch(load);
  probe.start();
  await sleep(QUIET_MS);
  const [source, target] = (await set.masters()) as [Member, Member];
  const entry = addressOf(target.server);
  const move = (from: string, to: string, count: number) =>
    lab.nemesis.strike('reshard', `${count} slots`, () =>
      clusterCli(
        ...['reshard', entry, '--cluster-from', from, '--cluster-to', to],
        ...['--cluster-slots', String(count), '--cluster-yes'],
      ),
    );
  const count = run.number('slots');
  await move(source.id, target.id, Math.round(count / 2));
  // A master without a replica could prove nothing that was written to the slots it is given.
  const [added, follower] = [await set.newServer('r7'), await set.newServer('r8')];
  const idOf = async (server: RedisServer) =>
    ((await set.members()).find((each) => each.server === server) as Member).id;
  await lab.nemesis.strike('node added', `${addressOf(added)} and a replica`, async () => {
    await clusterCli('add-node', addressOf(added), entry);
    await sleep(QUIET_MS);
    const master = ['--cluster-slave', '--cluster-master-id', await idOf(added)];
    await clusterCli('add-node', addressOf(follower), entry, ...master);
    await set.untilWhole();
    // redis-cli moves nothing before all nodes tell the same, the newest too.
    const isAgreed = () =>
      clusterCli('check', entry).then(
        () => true,
        () => undefined,
      );
    await until(isAgreed, AGREEMENT_LIMIT_MS, 200);
  });
  const member = { id: await idOf(added), followerId: await idOf(follower) };
  await move(source.id, member.id, Math.round(count / 4));
  await move(member.id, source.id, Math.round(count / 4));
  await lab.nemesis.strike('node removed', `${addressOf(added)} and its replica`, async () => {
    await clusterCli('del-node', entry, member.followerId);
    await clusterCli('del-node', entry, member.id);
  });
  await sleep(QUIET_MS);
  watch.end();
  await probe.stop();
  const refused = probe.probes.filter(({ isStored }) => !isStored);
  const answers = Object.values(load.answers).reduce((sum, each) => sum + each, 0) + probe.probes.length;
  const failures = Object.entries(load.answers).filter(([code]) => !code.startsWith('2'));
  const refusals = failures.reduce((sum, [, each]) => sum + each, 0) + refused.length;
  const codes = new Set([...failures.map(([code]) => code), ...refused.map(({ code }) => code)]);
  const verdict = await lab.check({ load });
  const share = refusals / Math.max(1, answers);
  return {
    topology: set.name,
    verdict,
    faults: lab.nemesis.counts(),
    findings: [
      {
        what: 'answers that were refusals while slots moved',
        target: `<= ${MAX_REFUSED_SHARE * 100} %, all 503`,
        measured: `${refusals} of ${answers} (${(share * 100).toFixed(2)} %)${codes.size > 0 ? `, ${[...codes].join(', ')}` : ''}`,
        holds: share <= MAX_REFUSED_SHARE && [...codes].every((code) => code === '503'),
      },
    ],
  };
}

async function untilReplaced(set: ClusterSet, victim: Member): Promise<void> {
  const giveUpAt = Date.now() + 60_000;
  for (;;) {
    const masters = await set.masters().catch(() => []);
    const isServed = masters.some(
      ({ id, slots }) => id !== victim.id && slots.some(([from]) => from === victim.slots[0]?.[0]),
    );
    if (isServed) return;
    if (Date.now() > giveUpAt) throw new Error(`no replica took over from ${victim.server.name} in a minute`);
    await sleep(50);
  }
}

function holds({ slots }: Member, slot: number | undefined): boolean {
  return slot !== undefined && slots.some(([from, to]) => slot >= from && slot <= to);
}

async function open(run: Run): Promise<Kit> {
  const set = await clusterSet(run);
  const lab = await Lab.open(run, { topology: set, queues: QUEUES });
  await setDurability(lab, QUEUES, 'replica');
  const keys = keyspace('dreamfactory', { isCluster: true });
  const slots = new Map<string, number>();
  for (const queue of QUEUES) slots.set(queue, await set.slotOf(`${keys.queuePrefix(queue)}:`));
  const probe = new WriteProbe({ door: lab.door, queues: QUEUES, everyMs: 20 });
  run.onTestFinished(() => probe.stop());
  return { set, lab, probe, slots };
}
