/** This file owns the examination of one Redis: how one gets there, what its nodes tell, what our user may do. Bounded in time. */
import { describeRedis, type HostPort, keyspace } from '@sluice/config';
import { Cluster, close, connect, type Redis, type RedisClient, untilReady } from '@sluice/redis';
import { type Answer, ask, reasonOf, untold } from './answer.ts';
import { type Arrival, arrive } from './arrival.ts';
import { type ClusterFacts, readCluster } from './cluster-state.ts';
import { type Samples, sampleKeys } from './key-sample.ts';
import { type NodeFacts, readNode } from './node-facts.ts';
import { type Rights, tryRights } from './rights.ts';
import { askSentinels, type SentinelFacts } from './sentinels.ts';
import type { Place } from './set-up.ts';

export interface Examined {
  place: Place;
  /** Without credentials. */
  label: string;
  /** One for each host that is configured. */
  arrivals: readonly Arrival[];
  /** Told when commands are served. */
  entry: Answer<true>;
  /** Masters; empty when nobody let us in. */
  nodes: readonly NodeFacts[];
  rights: Rights;
  samples: Samples;
  /** Empty without Sentinels. */
  sentinels: readonly SentinelFacts[];
  cluster: ClusterFacts | undefined;
}

const ENTRY_DEADLINE_MS = 2_500;

/** Settles within 10 s, whatever Redis does; never rejects but for a TLS file that cannot be read. */
export async function examine(place: Place, prefix: string): Promise<Examined> {
  const { config } = place;
  const [arrivals, sentinels] = await Promise.all([
    Promise.all(hostsOf(place).map((host) => arrive(host, config.tls))),
    config.kind === 'sentinel' ? askSentinels(config) : [],
  ]);
  const outside = outsideOf(place, arrivals, sentinels);
  if (!arrivals.some(({ reached }) => reached === 'answered')) return outside;
  const client = connect({ config, profile: 'request', name: 'doctor' });
  try {
    const entry = await enter(client);
    if (!entry.isTold) return { ...outside, entry };
    const keys = keyspace(prefix, { isCluster: config.kind === 'cluster' });
    const master = sentinels.flatMap((each) => (each.master.isTold ? [each.master.value] : []))[0];
    const [nodes, samples, cluster] = await Promise.all([
      Promise.all(nodesOf(client, place, master).map(({ node, address }) => readNode(node, address))),
      sampleKeys(client, keys),
      client instanceof Cluster ? readCluster(client) : undefined,
    ]);
    const isReplica = nodes.some(({ info }) => info.isTold && info.value.get('role') === 'slave');
    const rights = isReplica ? new Map() : await tryRights(client, config, keys);
    return { ...outside, entry, nodes, rights, samples, cluster };
  } finally {
    await close(client, 300);
  }
}

/** What is told of a Redis whose examination was not brought to an end: nothing is known but that. */
export function unexamined(place: Place, error: unknown): Examined {
  const reason = reasonOf(error);
  const arrivals = hostsOf(place).map(
    (at): Arrival => ({ ...at, addresses: [], reached: 'silent', reason, greeting: undefined }),
  );
  return outsideOf(place, arrivals, []);
}

function outsideOf(
  place: Place,
  arrivals: readonly Arrival[],
  sentinels: readonly SentinelFacts[],
): Examined {
  return {
    place,
    label: describeRedis(place.config),
    arrivals,
    entry: untold('PING', new Error('nobody answered')),
    nodes: [],
    rights: new Map(),
    samples: new Map(),
    sentinels,
    cluster: undefined,
  };
}

function hostsOf({ config }: Place): readonly HostPort[] {
  switch (config.kind) {
    case 'standalone':
      return [{ host: config.host, port: config.port }];
    case 'sentinel':
      return config.sentinels;
    case 'cluster':
      return config.nodes;
  }
}

async function enter(client: RedisClient): Promise<Answer<true>> {
  try {
    await untilReady(client, ENTRY_DEADLINE_MS);
  } catch (error) {
    return untold('PING', error);
  }
  // Not PING: a Redis that cannot write to its disk refuses it (MISCONF), and goes on telling what is wrong.
  return await ask('ECHO', async () => {
    await client.echo('x');
    return true as const;
  });
}

function nodesOf(
  client: RedisClient,
  { config }: Place,
  master: string | undefined,
): { node: Redis; address: string }[] {
  if (client instanceof Cluster) {
    return client
      .nodes('master')
      .map((node) => ({ node, address: `${node.options.host}:${node.options.port}` }));
  }
  const address = config.kind === 'standalone' ? `${config.host}:${config.port}` : (master ?? 'master');
  return [{ node: client, address }];
}
