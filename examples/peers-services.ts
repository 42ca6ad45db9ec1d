/** What the programs of `peers.ts` have in common: the four packages on one Redis, opened for one process. */
import { Cache, RedisDriver } from '@sluice/cache';
import { Env, keyspace, type Role, readRoles } from '@sluice/config';
import { Jobs } from '@sluice/jobs';
import { Limiter } from '@sluice/rate-limit';
import { close, connect, type Profile, untilReady } from '@sluice/redis';
import { RedisSessionDriver, SessionCookie, Sessions } from '@sluice/session';

export const MAIL_QUEUE = 'mail';

export async function openServices(name: string) {
  const env = new Env(process.env);
  const { prefix, redis } = readRoles(env);
  env.finish();
  const keysOf = (role: Role) => keyspace(prefix, { isCluster: redis[role].kind === 'cluster' });
  const open = async (role: Role, profile: Profile) => {
    const client = connect({ config: redis[role], profile, name });
    await untilReady(client, 5_000);
    return client;
  };
  const clients = await Promise.all([
    open('cache', 'request'),
    open('limit', 'request'),
    open('session', 'request'),
    open('queue', 'request'),
    // Waiting for a result blocks a connection: this one.
    open('queue', 'subscriber'),
  ]);
  const [cacheClient, limitClient, sessionClient, queueClient, subscriber] = clients;
  const secret = Buffer.from(process.env.SESSION_SECRET ?? '', 'hex');

  const cache = new Cache({
    name: 'products',
    driver: new RedisDriver({ client: cacheClient, keyspace: keysOf('cache'), service: 'products' }),
  });
  return {
    cache,
    limiter: new Limiter({
      redis: limitClient,
      keys: keysOf('limit'),
      policies: [{ name: 'orders', algorithm: 'sliding', limit: 3, period: 'hour' }],
    }),
    browser: {
      sessions: new Sessions({
        driver: new RedisSessionDriver({ client: sessionClient, keys: keysOf('session'), area: 'peers' }),
        secret,
      }),
      // Plain HTTP, and no pages that other sites could make a browser post to: an example on this machine.
      cookie: new SessionCookie({ keys: [secret], isSecure: false }),
      csrf: null,
    },
    jobs: new Jobs({ client: queueClient, subscriber, keys: keysOf('queue') }),
    queue: { redis: redis.queue, keys: keysOf('queue'), client: queueClient },
    async close() {
      await cache.stop();
      await Promise.all(clients.map((client) => close(client)));
    },
  };
}

/** The slow thing behind the cache; each call says so, to be counted. */
export async function loadProduct(id: string): Promise<unknown> {
  process.send?.({ loaded: id });
  return { id, price: 12 };
}
