/** This file owns our side's Redis, as packages meet it in other services: the packages as built, a client, a keyspace. */
import { keyspace } from '../../packages/config/dist/index.js';
import { connect, untilReady } from '../../packages/redis/dist/index.js';

const { hostname, port } = new URL(process.env.REDIS_URL);

export const keys = keyspace('bench', { isCluster: false });

export async function openClient(profile = 'request') {
  const config = { kind: 'standalone', host: hostname, port: Number(port || 6379), database: 0 };
  const client = connect({ config, profile, name: `bench-${profile}` });
  await untilReady(client, 5_000);
  return client;
}
