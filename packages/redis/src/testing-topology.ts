/** This file owns the topologies that tests run on: a Redis Cluster of three masters, Sentinels with a master and replicas. */
import { type ClusterConfig, Secret, type SentinelConfig } from '@sluice/config';
import { freePort } from './embedded/port.ts';
import { type TestContext, type TestServer, testServer } from './testing-server.ts';
import { guardedSentinel, PRODUCT_PASSWORD, PRODUCT_USER } from './testing-user.ts';

const SLOTS = 16_384;
const MASTERS = 3;
const FORMING_DEADLINE_MS = 20_000;
const POLL_MS = 25;
/** How the product enters every node; a Redis as it comes asks for nothing. */
function access(isOpen: boolean) {
  return {
    username: isOpen ? undefined : PRODUCT_USER,
    password: isOpen ? undefined : new Secret(PRODUCT_PASSWORD),
  };
}

/** Of each server, as `testServer` has them. */
interface Guarding {
  isOpen?: boolean;
  isAnyKey?: boolean;
}

export interface TestCluster {
  config: ClusterConfig;
  /** Masters, then replicas: the n-th replica is the n-th master's. */
  servers: readonly TestServer[];
  masters: readonly TestServer[];
  replicas: readonly TestServer[];
}

/** Three masters that share all slots, and with `replicas` one replica each, ready to serve and to fail over. */
export async function testCluster(
  t: TestContext,
  {
    replicas = 0,
    settings = [],
    isOpen = false,
    isAnyKey = false,
  }: { replicas?: 0 | 1; settings?: readonly string[] } & Guarding = {},
): Promise<TestCluster> {
  const servers: TestServer[] = [];
  const busPorts: number[] = [];
  for (let index = 0; index < MASTERS * (1 + replicas); index += 1) {
    // Of our own choosing: the default lies 10,000 above the port, which may be none.
    const busPort = await freePort();
    const all = [
      'save ""',
      'cluster-enabled yes',
      `cluster-port ${busPort}`,
      'cluster-node-timeout 2000',
      'repl-diskless-sync-delay 0',
      ...settings,
    ];
    servers.push(await testServer(t, { settings: all, isOpen, isAnyKey }));
    busPorts.push(busPort);
  }
  const clients = servers.map((server) => server.admin());
  for (const [index, client] of clients.slice(0, MASTERS).entries()) {
    const from = Math.floor((SLOTS * index) / MASTERS);
    const to = Math.floor((SLOTS * (index + 1)) / MASTERS) - 1;
    await client.call('CLUSTER', 'ADDSLOTSRANGE', from, to);
    await client.call('CLUSTER', 'SET-CONFIG-EPOCH', index + 1);
  }
  for (const [index, { port }] of servers.entries()) {
    if (index > 0) await clients[0]?.call('CLUSTER', 'MEET', '127.0.0.1', port, busPorts[index] as number);
  }
  const isFormed = async (client: (typeof clients)[number]) => {
    const info = String(await client.call('CLUSTER', 'INFO'));
    return info.includes('cluster_state:ok') && info.includes(`cluster_known_nodes:${servers.length}`);
  };
  for (const client of clients) await until(() => isFormed(client));
  for (const [index, client] of clients.slice(MASTERS).entries()) {
    await client.call('CLUSTER', 'REPLICATE', String(await clients[index]?.call('CLUSTER', 'MYID')));
  }
  for (const client of clients.slice(MASTERS)) {
    await until(async () => String(await client.call('INFO', 'replication')).includes('link_status:up'));
  }
  const knowsReplicas = async (client: (typeof clients)[number]) =>
    String(await client.call('CLUSTER', 'NODES')).match(/slave/g)?.length === servers.length - MASTERS;
  if (replicas > 0) for (const client of clients) await until(() => knowsReplicas(client));
  const nodes = servers.map(({ port }) => ({ host: '127.0.0.1', port }));
  return {
    config: { kind: 'cluster', nodes, ...access(isOpen), tls: undefined },
    servers,
    masters: servers.slice(0, MASTERS),
    replicas: servers.slice(MASTERS),
  };
}

export interface TestSentinel {
  config: SentinelConfig;
  master: TestServer;
  /** The first of `replicas`. */
  replica: TestServer;
  replicas: readonly TestServer[];
  /** The first of `sentinels`. */
  sentinel: TestServer;
  sentinels: readonly TestServer[];
}

/** A master with replicas (default one), watched by Sentinels (default one) that call it down after half a second. */
export async function testSentinel(
  t: TestContext,
  {
    replicas: replicaCount = 1,
    sentinels: sentinelCount = 1,
    isOpen = false,
    isAnyKey = false,
  }: { replicas?: number; sentinels?: number } & Guarding = {},
): Promise<TestSentinel> {
  const name = 'main';
  const master = await testServer(t, {
    settings: ['save ""', 'repl-diskless-sync-delay 0'],
    isOpen,
    isAnyKey,
  });
  const settings = ['save ""', 'repl-diskless-sync-delay 0', `replicaof 127.0.0.1 ${master.port}`];
  const replicas: TestServer[] = [];
  for (let index = 0; index < replicaCount; index += 1)
    replicas.push(await testServer(t, { settings, isOpen, isAnyKey }));
  const quorum = Math.floor(sentinelCount / 2) + 1;
  const watch = [
    `sentinel monitor ${name} 127.0.0.1 ${master.port} ${quorum}`,
    `sentinel down-after-milliseconds ${name} 500`,
    `sentinel failover-timeout ${name} 3000`,
  ];
  const sentinels: TestServer[] = [];
  for (let index = 0; index < sentinelCount; index += 1)
    sentinels.push(
      await testServer(t, { isSentinel: true, settings: watch, isOpen, guard: guardedSentinel(name) }),
    );
  for (const sentinel of sentinels) {
    const client = sentinel.admin();
    await until(async () => {
      const told = String(await client.call('SENTINEL', 'REPLICAS', name));
      const others = (await client.call('SENTINEL', 'SENTINELS', name)) as unknown[];
      return replicas.every(({ port }) => told.includes(`${port}`)) && others.length === sentinelCount - 1;
    });
  }
  const config: SentinelConfig = {
    kind: 'sentinel',
    sentinels: sentinels.map(({ port }) => ({ host: '127.0.0.1', port })),
    master: name,
    sentinelUsername: access(isOpen).username,
    sentinelPassword: access(isOpen).password,
    database: 0,
    ...access(isOpen),
    tls: undefined,
  };
  const [replica, sentinel] = [replicas[0] as TestServer, sentinels[0] as TestServer];
  return { config, master, replica, replicas, sentinel, sentinels };
}

async function until(isSo: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + FORMING_DEADLINE_MS;
  while (!(await isSo())) {
    if (performance.now() > deadline) throw new Error(`not formed within ${FORMING_DEADLINE_MS} ms`);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}
