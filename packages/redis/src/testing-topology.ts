/** This file owns the topologies that tests run on: a Redis Cluster of three masters, a Sentinel with master and replica. */
import type { ClusterConfig, SentinelConfig } from '@sluice/config';
import { freePort } from './embedded/port.ts';
import { type TestContext, type TestServer, testServer } from './testing-server.ts';

const SLOTS = 16_384;
const MASTERS = 3;
const FORMING_DEADLINE_MS = 10_000;
const POLL_MS = 25;
const ACCESS = { username: undefined, password: undefined, tls: undefined };

/** Three masters that share all slots, ready to serve. */
export async function testCluster(
  t: TestContext,
): Promise<{ config: ClusterConfig; servers: readonly TestServer[] }> {
  const servers: TestServer[] = [];
  const busPorts: number[] = [];
  for (let index = 0; index < MASTERS; index += 1) {
    // Of our own choosing: the default lies 10,000 above the port, which may be none.
    const busPort = await freePort();
    const settings = [
      'save ""',
      'cluster-enabled yes',
      `cluster-port ${busPort}`,
      'cluster-node-timeout 2000',
    ];
    servers.push(await testServer(t, { settings }));
    busPorts.push(busPort);
  }
  const clients = servers.map((server) => server.connect('worker'));
  for (const [index, client] of clients.entries()) {
    const from = Math.floor((SLOTS * index) / MASTERS);
    const to = Math.floor((SLOTS * (index + 1)) / MASTERS) - 1;
    await client.call('CLUSTER', 'ADDSLOTSRANGE', from, to);
    await client.call('CLUSTER', 'SET-CONFIG-EPOCH', index + 1);
  }
  for (const [index, { port }] of servers.entries()) {
    if (index > 0) await clients[0]?.call('CLUSTER', 'MEET', '127.0.0.1', port, busPorts[index] as number);
  }
  for (const client of clients) {
    await until(async () => {
      const info = String(await client.call('CLUSTER', 'INFO'));
      return info.includes('cluster_state:ok') && info.includes(`cluster_known_nodes:${MASTERS}`);
    });
  }
  const nodes = servers.map(({ port }) => ({ host: '127.0.0.1', port }));
  return { config: { kind: 'cluster', nodes, ...ACCESS }, servers };
}

/** A master with one replica, watched by one Sentinel that calls the master down after half a second. */
export async function testSentinel(
  t: TestContext,
): Promise<{ config: SentinelConfig; master: TestServer; replica: TestServer; sentinel: TestServer }> {
  const name = 'main';
  const master = await testServer(t);
  const replica = await testServer(t, { settings: ['save ""', `replicaof 127.0.0.1 ${master.port}`] });
  const sentinel = await testServer(t, {
    isSentinel: true,
    settings: [
      `sentinel monitor ${name} 127.0.0.1 ${master.port} 1`,
      `sentinel down-after-milliseconds ${name} 500`,
      `sentinel failover-timeout ${name} 3000`,
    ],
  });
  const client = sentinel.connect('worker');
  await until(async () =>
    String(await client.call('SENTINEL', 'REPLICAS', name)).includes(`${replica.port}`),
  );
  const config: SentinelConfig = {
    kind: 'sentinel',
    sentinels: [{ host: '127.0.0.1', port: sentinel.port }],
    master: name,
    sentinelUsername: undefined,
    sentinelPassword: undefined,
    database: 0,
    ...ACCESS,
  };
  return { config, master, replica, sentinel };
}

async function until(isSo: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + FORMING_DEADLINE_MS;
  while (!(await isSo())) {
    if (performance.now() > deadline) throw new Error(`not formed within ${FORMING_DEADLINE_MS} ms`);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}
