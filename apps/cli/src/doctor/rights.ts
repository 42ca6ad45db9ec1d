/** This file owns the trial of what our user may do: each kind of command, on keys of the run's own, which are removed. */
import { type Keyspace, type RedisConfig, ROLES, type Role } from '@sluice/config';
import { connect, hear, publish, type RedisClient, subscribe, untilReady } from '@sluice/redis';
import { within } from '@sluice/runtime';
import { type Answer, ask } from './answer.ts';
import { type DoctorKeys, doctorKeys } from './keys.ts';

/** What is tried, and who cannot do without. */
export const RIGHTS = [
  { name: 'write', commands: 'SET GET PEXPIRE UNLINK', roles: ROLES },
  { name: 'scan', commands: 'SCAN', roles: ['cache', 'queue', 'session'] },
  { name: 'script', commands: 'EVAL EVALSHA', roles: ROLES },
  { name: 'transaction', commands: 'MULTI EXEC', roles: ['queue', 'cache'] },
  { name: 'types', commands: 'HSET ZADD LPUSH XADD', roles: ['queue', 'session', 'limit', 'channel'] },
  { name: 'blocking', commands: 'BZPOPMIN XREAD', roles: ['queue'] },
  { name: 'pubsub', commands: 'SUBSCRIBE PUBLISH', roles: ['channel', 'cache'] },
] as const satisfies readonly { name: string; commands: string; roles: readonly Role[] }[];
export type RightName = (typeof RIGHTS)[number]['name'];

/** Told: milliseconds it took. */
export type Rights = ReadonlyMap<RightName, Answer<number>>;

/** What is left behind by a run that is killed. */
const PROBE_TTL_MS = 10_000;
const BLOCKING_SECONDS = 0.01;
const READY_DEADLINE_MS = 1_500;
const ROUND_TRIP_MS = 1_500;
const ECHO = "return redis.call('GET', KEYS[1])";

/**
 * Settles within 4 s; never rejects. Where Redis takes no writes at all nothing else is tried: the client leaves such a
 * connection, and answers under way with it.
 */
export async function tryRights(
  client: RedisClient,
  config: RedisConfig,
  keyspace: Keyspace,
): Promise<Rights> {
  const keys = doctorKeys(keyspace);
  const trials: Record<RightName, () => Promise<unknown>> = {
    write: () => tryWriting(client, keys),
    scan: () => tryScan(client, keys),
    script: () => client.eval(ECHO, 1, keys.probe('string')),
    transaction: () => all(client.multi().get(keys.probe('string')).exec()),
    types: () => tryTypes(client, keys),
    blocking: () => tryBlocking(client, keys),
    pubsub: () => tryRoundTrip(client, config, keys),
  };
  const attempt = async ({ name, commands }: (typeof RIGHTS)[number]) => {
    const startedAt = performance.now();
    const answer = await ask(commands, trials[name]);
    return [name, answer.isTold ? { ...answer, value: performance.now() - startedAt } : answer] as const;
  };
  const [write, ...others] = RIGHTS;
  const written = await attempt(write);
  if (!written[1].isTold && written[1].fault === 'readonly') return new Map([written]);
  return new Map<RightName, Answer<number>>([written, ...(await Promise.all(others.map(attempt)))]);
}

async function tryWriting(client: RedisClient, keys: DoctorKeys): Promise<void> {
  const key = keys.probe('written');
  await all(
    client
      .pipeline()
      .set(key, 'x', 'PX', PROBE_TTL_MS)
      .get(key)
      .pexpire(key, PROBE_TTL_MS)
      .unlink(key)
      .exec(),
  );
}

async function tryTypes(client: RedisClient, keys: DoctorKeys): Promise<void> {
  const [hash, zset, list, stream] = ['hash', 'zset', 'list', 'stream'].map((type) => keys.probe(type)) as [
    string,
    string,
    string,
    string,
  ];
  const pipeline = client.pipeline().hset(hash, 'field', 'x').zadd(zset, 1, 'x').lpush(list, 'x');
  pipeline.xadd(stream, '*', 'field', 'x');
  for (const key of [hash, zset, list, stream]) pipeline.pexpire(key, PROBE_TTL_MS).unlink(key);
  await all(pipeline.exec());
}

async function tryBlocking(client: RedisClient, keys: DoctorKeys): Promise<void> {
  await client.bzpopmin(keys.probe('absent'), BLOCKING_SECONDS);
  await client.xread('BLOCK', 1, 'STREAMS', keys.probe('absent'), '$');
}

async function tryScan(client: RedisClient, keys: DoctorKeys): Promise<void> {
  const pattern = `${keys.topic.replace(/[^\w:]/g, '?')}*`;
  await client.call('SCAN', '0', 'MATCH', pattern, 'COUNT', '10');
}

/** A message to ourselves, over a second connection. */
async function tryRoundTrip(client: RedisClient, config: RedisConfig, { topic }: DoctorKeys): Promise<void> {
  const subscriber = connect({ config, profile: 'subscriber', name: 'doctor-subscriber' });
  try {
    await untilReady(subscriber, READY_DEADLINE_MS);
    const arrived = new Promise<void>((resolve) => {
      hear(subscriber, { onMessage: () => resolve(), onInterruption: () => undefined });
    });
    await within(subscribe(subscriber, topic), ROUND_TRIP_MS);
    await publish(client, topic, 'x');
    await within(arrived, ROUND_TRIP_MS);
  } finally {
    subscriber.disconnect();
  }
}

/** ioredis: exec() does not reject for one failed command. */
async function all(replies: Promise<[Error | null, unknown][] | null>): Promise<void> {
  for (const [error] of (await replies) ?? []) if (error) throw error;
}
