/** This file owns a Sentinel set: a master and two replicas watched by three Sentinels, each on a machine of its own. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Secret, type SentinelConfig } from '@sluice/config';
import {
  ADMIN_PASSWORD,
  argumentsOf,
  guardedSentinel,
  guardedServer,
  PRODUCT_ENTRY,
  PRODUCT_PASSWORD,
  PRODUCT_USER,
} from '@sluice/redis/testing';
import { until } from '../e2e/product.ts';
import type { Run } from './case.ts';
import { type Machine, Network } from './network.ts';
import { redisCli } from './redis-cli.ts';
import { RedisServer, refuseNothing, type Topology, untilServing } from './topology.ts';

export const DOWN_AFTER_MS = 2_000;
export const MAX_LAG_SECONDS = 2;
const NAME = 'main';
const [REDIS_PORT, SENTINEL_PORT] = [6_379, 26_379];
/** Writes wait on the master while another is made one. */
const PAUSE_MS = 4_000;

export interface SentinelSet extends Topology {
  readonly network: Network;
  readonly servers: readonly RedisServer[];
  readonly sentinels: readonly RedisServer[];
  /** The server that most Sentinels which answer call the master. */
  master(): Promise<RedisServer>;
  /** By `SENTINEL FAILOVER`, with writes held up on the master by `CLIENT PAUSE`, as docs/topologies.md has it, or without. */
  failOver(options: { isPaused: boolean }): Promise<void>;
  /** The master and one Sentinel, the product and its callers on one side, all others on the other. */
  isolateMaster(): Promise<void>;
  /** Resolves when there is one master, all others follow it, and the Sentinels agree. */
  untilWhole(timeoutMs?: number): Promise<void>;
}

export async function sentinelSet(run: Run): Promise<SentinelSet> {
  const network = Network.open(run);
  const servers: RedisServer[] = [];
  const sentinels: RedisServer[] = [];
  const machines: Machine[] = [];
  for (const name of ['r1', 'r2', 'r3']) {
    const machine = network.machine(name);
    const { host, launcher } = machine;
    machines.push(machine);
    const [first] = servers;
    servers.push(
      await RedisServer.start(run, {
        ...{ name, host, launcher, port: REDIS_PORT, folder: join(run.folder, name) },
        settings: [
          ...['--save', '', '--appendonly', 'yes', '--appendfsync', 'everysec', '--protected-mode', 'no'],
          ...['--min-replicas-to-write', '1', '--min-replicas-max-lag', String(MAX_LAG_SECONDS)],
          ...['--repl-diskless-sync-delay', '0'],
          ...argumentsOf(guardedServer({ prefix: 'dreamfactory' })),
          ...(first ? ['--replicaof', first.host, String(first.port)] : []),
        ],
      }),
    );
  }
  const [first] = servers as [RedisServer];
  for (const name of ['s1', 's2', 's3']) {
    const machine = network.machine(name);
    const { host, launcher } = machine;
    machines.push(machine);
    const folder = join(run.folder, name);
    await mkdir(folder, { recursive: true });
    const file = join(folder, 'sentinel.conf');
    const lines = [
      `sentinel monitor ${NAME} ${first.host} ${first.port} 2`,
      `sentinel down-after-milliseconds ${NAME} ${DOWN_AFTER_MS}`,
      `sentinel failover-timeout ${NAME} 10000`,
      ...guardedSentinel(NAME),
    ];
    await writeFile(file, `${lines.join('\n')}\n`);
    const settings = ['--sentinel', '--protected-mode', 'no'];
    sentinels.push(
      await RedisServer.start(run, {
        ...{ name, host, launcher, folder, file, settings },
        port: SENTINEL_PORT,
      }),
    );
  }
  const config: SentinelConfig = {
    ...{ kind: 'sentinel', master: NAME, database: 0 },
    sentinels: sentinels.map(({ host, port }) => ({ host, port })),
    ...{ username: undefined, password: new Secret(ADMIN_PASSWORD), tls: undefined },
    ...{ sentinelUsername: undefined, sentinelPassword: new Secret(ADMIN_PASSWORD) },
  };
  const addressSaid = async (sentinel: RedisServer) =>
    (await redisCli(sentinel, 'SENTINEL', 'GET-MASTER-ADDR-BY-NAME', NAME).catch(() => '')).split('\n')[0];
  const master = async () => {
    const said = await Promise.all(sentinels.map(addressSaid));
    const agreed = said.find((host) => host && said.filter((other) => other === host).length >= 2);
    const server = servers.find(({ host }) => host === agreed);
    if (!server) throw new Error(`the Sentinels name ${said.join(', ')}`);
    return server;
  };
  const isWhole = async () => {
    const leader = await master();
    const info = await redisCli(leader, 'INFO', 'replication');
    if (!info.includes('role:master') || info.match(/state=online/g)?.length !== 2) return undefined;
    const said = await Promise.all(sentinels.map(addressSaid));
    if (said.some((host) => host !== leader.host)) return undefined;
    const known = await redisCli(sentinels[0] as RedisServer, 'SENTINEL', 'CKQUORUM', NAME);
    return known.startsWith('OK 3') ? true : undefined;
  };
  const set: SentinelSet = {
    name: 'Sentinel: 1 master, 2 replicas, 3 Sentinels, min-replicas-to-write 1, appendfsync everysec',
    variables: {
      REDIS_SENTINEL_HOST: sentinels.map(({ host }) => host).join(),
      REDIS_SENTINEL_PORT: String(SENTINEL_PORT),
      REDIS_SENTINEL_MASTER: NAME,
      REDIS_SENTINEL_USERNAME: PRODUCT_USER,
      REDIS_SENTINEL_PASSWORD: PRODUCT_PASSWORD,
      ...PRODUCT_ENTRY,
    },
    config,
    ...{ nodes: [...servers, ...sentinels], servers, sentinels, network, master },
    untilServing: (timeoutMs) => untilServing(config, timeoutMs),
    async failOver({ isPaused }) {
      const before = await master();
      if (isPaused) await redisCli(before, 'CLIENT', 'PAUSE', String(PAUSE_MS), 'WRITE');
      await redisCli(sentinels[0] as RedisServer, 'SENTINEL', 'FAILOVER', NAME);
      await until(async () => ((await master()) === before ? undefined : true), 20_000, 50);
    },
    async isolateMaster() {
      const leader = await master();
      for (const machine of machines)
        machine.moveTo(machine.host === leader.host || machine.name === 's1' ? 'left' : 'right');
    },
    untilWhole: async (timeoutMs = 60_000) =>
      void (await until(() => isWhole().catch(() => undefined), timeoutMs, 100)),
  };
  await set.untilWhole();
  refuseNothing(run, () => set.nodes);
  return set;
}
