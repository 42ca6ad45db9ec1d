/** This file owns F-05: a Redis that holds connections and says nothing, a link that loses everything, connections cut in a storm. */
import { execFileSync } from 'node:child_process';
import type { FaultCase, Outcome, Run } from '../case.ts';
import { Lab } from '../lab.ts';
import { msUntilConsumed, msUntilServed } from '../probes.ts';
import { sleep, sleepUntil } from '../random.ts';
import { singleServer, type Topology, withClient } from '../topology.ts';

const RECOVERY_LIMIT_MS = 3_000;
/** A socket that stays silent so long is given up by a worker. */
const SOCKET_TIMEOUT_MS = 30_000;
const IDLE_QUEUE = 'idle';
const STORM_EVERY_MS = 100;

export const silence: FaultCase = {
  id: 'F-05',
  title: 'Redis silent, the link cut, connections killed',
  about:
    'SIGSTOP to redis-server for each of the lengths; then packets to and from it dropped without a word (nftables, loopback); then CLIENT KILL of every client ten times a second.',
  target:
    'every request answered within 2 s, served and consumed within 3 s after, no finished job marked failed, I1-I8 hold',
  parameters: {
    lengths: { says: 'seconds of silence', long: '1,5,20', short: '1,3' },
    cut: { says: 'seconds with the link cut; 0: not', long: 15, short: 0 },
    storm: { says: 'seconds of CLIENT KILL', long: 10, short: 3 },
    rate: { says: 'jobs a second', long: 60, short: 40 },
  },
  run: fallSilent,
};

async function fallSilent(run: Run): Promise<Outcome> {
  const topology = await singleServer(run, { folder: run.folder, fsync: 'always' });
  const { server } = topology;
  const lab = await Lab.open(run, { topology, otherQueues: [IDLE_QUEUE] });
  await msUntilConsumed(lab, IDLE_QUEUE, 'idle-first');
  const load = lab.load({ jobsPerSecond: run.number('rate') });
  const watch = lab.watch(load);
  const rows: { what: string; servedMs: number; consumedMs: number; limitMs: number }[] = [];
  const recover = async (what: string, limitMs = RECOVERY_LIMIT_MS) => {
    const [servedMs, consumedMs] = await Promise.all([
      msUntilServed(lab),
      msUntilConsumed(lab, IDLE_QUEUE, `idle after ${what}`),
    ]);
    rows.push({ what, servedMs, consumedMs, limitMs });
    await sleep(2_000);
  };

  await sleep(2_000);
  for (const seconds of run.text('lengths').split(',').map(Number)) {
    await lab.nemesis.strike('redis SIGSTOP', `${seconds} s`, async () => {
      server.freeze();
      await sleep(seconds * 1_000);
      server.thaw();
    });
    await recover(`${seconds} s of silence`);
  }
  const cutSeconds = run.number('cut');
  if (cutSeconds > 0) {
    await lab.nemesis.strike('link cut', `${cutSeconds} s`, () => cutLink(run, server.port, cutSeconds));
    await recover(`${cutSeconds} s with the link cut`, RECOVERY_LIMIT_MS + SOCKET_TIMEOUT_MS);
  }
  const stormMs = run.number('storm') * 1_000;
  if (stormMs > 0)
    await lab.nemesis.strike('CLIENT KILL storm', `${stormMs / 1_000} s`, () =>
      killClients(topology, stormMs),
    );
  if (stormMs > 0) await recover('the storm');
  watch.end();
  const verdict = await lab.check({ load });
  return {
    topology: topology.name,
    verdict,
    faults: lab.nemesis.counts(),
    findings: rows.map(({ what, servedMs, consumedMs, limitMs }) => ({
      what: `recovered after ${what}`,
      target: `<= ${limitMs} ms`,
      measured: `served ${Math.round(servedMs)} ms, consumed ${Math.round(consumedMs)} ms`,
      holds: Math.max(servedMs, consumedMs) <= limitMs,
      ...(limitMs > RECOVERY_LIMIT_MS && {
        note: 'a link that loses packets sends no reset: a worker gives its socket up after 30 s of silence, or TCP finds its way again before',
      }),
    })),
  };
}

async function killClients({ config }: Topology, stormMs: number): Promise<void> {
  const endsAt = Date.now() + stormMs;
  for (let at = Date.now(); at < endsAt; at += STORM_EVERY_MS) {
    await sleepUntil(at);
    await withClient(config, async (client) => {
      await client.call('CLIENT', 'KILL', 'TYPE', 'normal');
      await client.call('CLIENT', 'KILL', 'TYPE', 'pubsub');
    });
  }
}

/** Packets to and from the port vanish, with no reset to tell of it. Needs nftables and the right to use them. */
async function cutLink(run: Run, port: number, seconds: number): Promise<void> {
  const table = `sluice_fault_${port}`;
  const nft = (...args: string[]) => execFileSync('nft', args, { stdio: ['ignore', 'ignore', 'pipe'] });
  let isThere = false;
  const heal = () => {
    if (isThere) nft('delete', 'table', 'inet', table);
    isThere = false;
  };
  run.onTestFinished(heal);
  nft('add', 'table', 'inet', table);
  isThere = true;
  nft('add', 'chain', 'inet', table, 'input', '{ type filter hook input priority 0; }');
  nft('add', 'rule', 'inet', table, 'input', 'tcp', 'dport', String(port), 'drop');
  nft('add', 'rule', 'inet', table, 'input', 'tcp', 'sport', String(port), 'drop');
  await sleep(seconds * 1_000);
  heal();
}
