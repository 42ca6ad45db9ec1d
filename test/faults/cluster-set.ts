/** This file owns a Redis Cluster of three masters and three replicas, each on a machine of its own, and what its nodes say of it. */
import { join } from 'node:path';
import { type ClusterConfig, Secret } from '@sluice/config';
import { ADMIN_PASSWORD, argumentsOf, guardedServer, PRODUCT_ENTRY } from '@sluice/redis/testing';
import { until } from '../e2e/product.ts';
import type { Run } from './case.ts';
import { Network } from './network.ts';
import { clusterCli, redisCli } from './redis-cli.ts';
import { RedisServer, refuseNothing, type Topology, untilServing } from './topology.ts';

export const NODE_TIMEOUT_MS = 2_000;
const PORT = 6_379;
const NODES = 6;
const SLOTS = 16_384;

/** As a node that answers sees it. */
export interface Member {
  id: string;
  server: RedisServer;
  isMaster: boolean;
  isFailing: boolean;
  /** Of a replica; '' of a master. */
  masterId: string;
  slots: readonly (readonly [from: number, to: number])[];
}

export interface ClusterSet extends Topology {
  readonly servers: readonly RedisServer[];
  /** One more, empty and in no Cluster yet. */
  newServer(name: string): Promise<RedisServer>;
  members(): Promise<Member[]>;
  /** Masters that hold slots. */
  masters(): Promise<Member[]>;
  slotOf(key: string): Promise<number>;
  /** Resolves when all slots are served, every master has a replica that follows it, and all nodes say so. */
  untilWhole(timeoutMs?: number): Promise<void>;
}

export async function clusterSet(run: Run): Promise<ClusterSet> {
  const network = Network.open(run);
  const servers: RedisServer[] = [];
  const newServer = async (name: string) => {
    const { host, launcher } = network.machine(name);
    const server = await RedisServer.start(run, {
      ...{ name, host, launcher, port: PORT, folder: join(run.folder, name) },
      settings: [
        ...['--save', '', '--appendonly', 'yes', '--appendfsync', 'everysec', '--protected-mode', 'no'],
        ...['--cluster-enabled', 'yes', '--cluster-node-timeout', String(NODE_TIMEOUT_MS)],
        ...['--cluster-require-full-coverage', 'no', '--repl-diskless-sync-delay', '0'],
        ...argumentsOf(guardedServer({ prefix: 'dreamfactory' })),
      ],
    });
    servers.push(server);
    return server;
  };
  for (let index = 1; index <= NODES; index += 1) await newServer(`r${index}`);
  const addresses = servers.map(addressOf);
  await clusterCli('create', ...addresses, '--cluster-replicas', '1', '--cluster-yes');
  const config: ClusterConfig = {
    kind: 'cluster',
    nodes: servers.map(({ host, port }) => ({ host, port })),
    ...{ username: undefined, password: new Secret(ADMIN_PASSWORD), tls: undefined },
  };
  const anyServer = () => {
    const server = servers.find(({ isRunning }) => isRunning);
    if (!server) throw new Error('no node is running');
    return server;
  };
  const members = async () => readMembers(await redisCli(anyServer(), 'CLUSTER', 'NODES'), servers);
  const masters = async () => (await members()).filter(({ isMaster, slots }) => isMaster && slots.length > 0);
  const isWhole = async () => {
    const all = await members();
    if (all.some(({ isFailing }) => isFailing)) return undefined;
    const leaders = await masters();
    if (!leaders.every(({ id }) => all.some(({ masterId }) => masterId === id))) return undefined;
    for (const { server, isMaster } of all) {
      const info = await redisCli(server, 'CLUSTER', 'INFO');
      if (!info.includes('cluster_state:ok') || !info.includes(`cluster_slots_ok:${SLOTS}`)) return undefined;
      if (!isMaster && !(await redisCli(server, 'INFO', 'replication')).includes('link_status:up'))
        return undefined;
    }
    return true;
  };
  const set: ClusterSet = {
    name: 'Cluster: 3 masters, 3 replicas, node timeout 2 s, appendfsync everysec',
    variables: { REDIS_CLUSTER_NODES: addresses.join(), ...PRODUCT_ENTRY },
    config,
    ...{ nodes: servers, servers, newServer, members, masters },
    untilServing: (timeoutMs) => untilServing(config, timeoutMs),
    slotOf: async (key) => Number(await redisCli(anyServer(), 'CLUSTER', 'KEYSLOT', key)),
    untilWhole: async (timeoutMs = 60_000) =>
      void (await until(() => isWhole().catch(() => undefined), timeoutMs, 200)),
  };
  await set.untilWhole();
  refuseNothing(run, () => servers);
  return set;
}

export function addressOf({ host, port }: Pick<RedisServer, 'host' | 'port'>): string {
  return `${host}:${port}`;
}

/** Lines of `id address@bus flags master ping pong epoch link slots…`. */
function readMembers(text: string, servers: readonly RedisServer[]): Member[] {
  return text.split('\n').flatMap((line): Member[] => {
    const [id = '', address = '', flags = '', masterId = '', , , , , ...slots] = line.trim().split(' ');
    const server = servers.find((each) => addressOf(each) === address.split('@')[0]);
    if (!server) return [];
    return [
      {
        ...{ id, server, masterId: masterId === '-' ? '' : masterId },
        isMaster: flags.includes('master'),
        isFailing: flags.includes('fail'),
        // One that is on its way is in brackets.
        slots: slots.filter((range) => !range.startsWith('[')).map(readRange),
      },
    ];
  });
}

function readRange(text: string): readonly [from: number, to: number] {
  const [from = '', to = from] = text.split('-');
  return [Number(from), Number(to)];
}
