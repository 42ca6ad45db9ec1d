/** This file owns connections to Redis: the only `new Redis`, and the profiles that decide what a client does in an outage. */
import { readFileSync } from 'node:fs';
import { describeRedis, type RedisConfig, type TlsConfig } from '@sluice/config';
import { type Log, within } from '@sluice/runtime';
import { Cluster, Redis, type RedisOptions } from 'ioredis';
import { redisFault } from './fault.ts';

export type RedisClient = Redis | Cluster;

/**
 * What a client does while Redis is away:
 * - `request` fails at once (nothing queues, nothing is resent) and bounds every answer: for whoever has a caller waiting
 * - `proof` the same with a little more time, for a single owner that has WAIT hold it up
 * - `worker` never gives up and never times a command out: a completed job must not be failed because its answer was slow.
 *   A socket that stays silent for 30 s is rebuilt
 * - `subscriber` never gives up and resubscribes
 */
export type Profile = 'request' | 'proof' | 'worker' | 'subscriber';

export interface ConnectOptions {
  config: RedisConfig;
  profile: Profile;
  /** Shown in `CLIENT LIST` as `sluice:{name}`. */
  name: string;
  log?: Log | undefined;
}

/** A request has 2 s in all; the rest is for us. */
export const REQUEST_COMMAND_TIMEOUT_MS = 1_500;
/** A proof is waited for by Redis for 1.4 s at most; a request has 1.8 s. */
const PROOF_COMMAND_TIMEOUT_MS = 1_700;
const REQUEST_SOCKET_TIMEOUT_MS = 5_000;
/** Moved, asked, or told to try again in 100 ms. */
const REQUEST_MAX_REDIRECTIONS = 10;
/** Above BullMQ's drain delay (5 s) and the longest script. */
const WORKER_SOCKET_TIMEOUT_MS = 30_000;
const MAX_RETRY_DELAY_MS = 1_000;
/** How often a server that loads its data is looked at. Its own estimate of how long it will take is off by seconds. */
const LOADING_LOOK_MS = 200;
/** A Sentinel that does not answer is passed over. */
const SENTINEL_TIMEOUT_MS = 2_000;
const KEEP_ALIVE_MS = 10_000;
const SLOTS_REFRESH_MS = 5_000;
/** Each asks where the slots are; ten of them are half a second. */
const REQUEST_CLUSTER_DOWN_DELAY_MS = 50;
/** A silent peer does not say goodbye. */
const DISCONNECT_TIMEOUT_MS = 300;

/**
 * Opens a client and begins to connect; wait with `untilReady`. The caller owns it and closes it with `close`.
 *
 * Throws only when a TLS file cannot be read. Connection failures are retried for ever, at most
 * `MAX_RETRY_DELAY_MS` apart, and logged once an outage.
 */
export function connect(options: ConnectOptions): RedisClient {
  const client = open(options, clientOptions(options));
  reportOutages(client, options);
  return client;
}

/** The error that keeps each client from its Redis; none while it serves. */
const outages = new WeakMap<RedisClient, Error>();

/**
 * Why this client cannot serve just now: the last error of its connection, `undefined` while it serves. A command that
 * fails meanwhile says only that there is no connection, and not that Redis refused our password.
 */
export function outageOf(client: RedisClient): Error | undefined {
  return outages.get(client);
}

/** Resolves when commands are served; rejects after `timeoutMs` with the last connection error as its cause. */
export async function untilReady(client: RedisClient, timeoutMs: number): Promise<void> {
  const waiting = new AbortController();
  let lastError: unknown;
  const onError = (error: unknown) => {
    lastError = error;
  };
  client.on('error', onError);
  try {
    await within(serving(client, waiting.signal), timeoutMs);
  } catch {
    throw new Error(`Redis not answered within ${timeoutMs} ms`, { cause: lastError });
  } finally {
    client.off('error', onError);
    waiting.abort();
  }
}

/** A Cluster is ready as soon as it knows its slots; its masters are a moment later. A replica that is away is not waited for. */
async function serving(client: RedisClient, signal: AbortSignal): Promise<void> {
  await readiness(client, signal);
  if (client instanceof Cluster)
    await Promise.all(client.nodes('master').map((node) => readiness(node, signal)));
}

function readiness(client: RedisClient, signal: AbortSignal): Promise<void> {
  // 'wait': a node that connects at its first command, and lets that wait.
  if (client.status === 'ready' || client.status === 'wait') return Promise.resolve();
  return new Promise((resolve) => {
    client.once('ready', resolve);
    signal.addEventListener('abort', () => client.off('ready', resolve));
  });
}

/**
 * Lets sent commands finish for `timeoutMs`, then drops the connection; resolves when it is gone. Never rejects.
 *
 * ioredis: a client closed between two attempts to reconnect leaves commands that wait for Redis unsettled.
 */
export async function close(client: RedisClient, timeoutMs = 1_000): Promise<void> {
  if (client.status !== 'ready') return client.disconnect();
  const ended = new Promise<void>((resolve) => client.once('end', resolve));
  const timer = setTimeout(() => client.disconnect(), timeoutMs);
  // A connection that dies while it says goodbye is closed as well.
  await client.quit().catch(() => undefined);
  clearTimeout(timer);
  client.disconnect();
  await within(ended, timeoutMs + DISCONNECT_TIMEOUT_MS).catch(() => undefined);
}

type PlainOptions = Omit<RedisOptions, 'replyMapping'>;

function clientOptions({ config, profile, name }: ConnectOptions): PlainOptions {
  const common: PlainOptions = {
    // RESP2: BullMQ's own suite runs on it, and nothing here needs RESP3's types.
    protocol: 2,
    connectionName: `sluice:${name}`,
    keepAlive: KEEP_ALIVE_MS,
    disconnectTimeout: DISCONNECT_TIMEOUT_MS,
    retryStrategy: retryDelayMs,
    maxLoadingRetryTime: LOADING_LOOK_MS,
    ...(config.username !== undefined && { username: config.username }),
    ...(config.password && { password: config.password.reveal() }),
    ...(config.tls && { tls: tlsOptions(config.tls) }),
  };
  switch (profile) {
    case 'request':
    case 'proof':
      return {
        ...common,
        reconnectOnError: leaveReadonly('fail'),
        enableOfflineQueue: false,
        maxRetriesPerRequest: 0,
        commandTimeout: profile === 'proof' ? PROOF_COMMAND_TIMEOUT_MS : REQUEST_COMMAND_TIMEOUT_MS,
        socketTimeout: REQUEST_SOCKET_TIMEOUT_MS,
        connectTimeout: 2_000,
      };
    case 'worker':
      return {
        ...common,
        reconnectOnError: leaveReadonly('resend'),
        maxRetriesPerRequest: null,
        socketTimeout: WORKER_SOCKET_TIMEOUT_MS,
        connectTimeout: 5_000,
      };
    case 'subscriber':
      return { ...common, maxRetriesPerRequest: null, connectTimeout: 5_000 };
  }
}

function open({ config, profile }: ConnectOptions, options: PlainOptions): RedisClient {
  switch (config.kind) {
    case 'standalone':
      return new Redis({ ...options, host: config.host, port: config.port, db: config.database });
    case 'sentinel':
      return new Redis({
        ...options,
        sentinels: [...config.sentinels],
        name: config.master,
        db: config.database,
        sentinelRetryStrategy: retryDelayMs,
        // Not ioredis' failoverDetector: news of a failover that arrives while the client asks a Sentinel for the master
        // ends the client for good (6.0.0, SentinelConnector). A silent master is left by the socket's timeout instead.
        sentinelCommandTimeout: SENTINEL_TIMEOUT_MS,
        ...(config.sentinelUsername !== undefined && { sentinelUsername: config.sentinelUsername }),
        ...(config.sentinelPassword && { sentinelPassword: config.sentinelPassword.reveal() }),
        ...(config.tls && { enableTLSForSentinelMode: true, sentinelTLS: tlsOptions(config.tls) }),
      });
    case 'cluster': {
      const { retryStrategy, enableOfflineQueue, reconnectOnError, ...redisOptions } = options;
      const cluster = new Cluster([...config.nodes], {
        redisOptions,
        enableOfflineQueue: enableOfflineQueue ?? true,
        clusterRetryStrategy: retryDelayMs,
        slotsRefreshTimeout: 2_000,
        // Each is a tenth of a second's wait: for whoever never gives up, until the failover or the move of slots is over.
        maxRedirections: enableOfflineQueue === false ? REQUEST_MAX_REDIRECTIONS : Number.POSITIVE_INFINITY,
        // Of no other: each news of the slots costs it some ten milliseconds, and bad times are full of news.
        shardedSubscribers: profile === 'subscriber',
        // A subscriber asks for nothing, so that no answer tells it that another master has its topics now. A node that has
        // left the Cluster and still answers says CLUSTERDOWN for ever, and has to be asked about no more.
        ...(profile !== 'worker' && { slotsRefreshInterval: SLOTS_REFRESH_MS }),
        // A command that may have run is not sent again on behalf of a caller who waits; one that was refused is.
        ...(enableOfflineQueue === false && {
          // It asks a node at random, and takes one that is not connected yet, or is away, for a Cluster that is: all other
          // connections are closed then, and made anew (ioredis 6.0.0). `untilReady` waits for the masters instead.
          enableReadyCheck: false,
          retryDelayOnFailover: 0,
          retryDelayOnClusterDown: REQUEST_CLUSTER_DOWN_DELAY_MS,
        }),
        // Certificates bear the names that CLUSTER SLOTS tells, not the addresses behind them.
        ...(config.tls && { dnsLookup: (address, callback) => callback(null, address) }),
      });
      // ioredis connects a node at its first command, and refuses others meanwhile where nothing may wait. A failure comes
      // as an event. Whoever lets commands wait gets by with connections to the nodes that it speaks to.
      if (enableOfflineQueue === false)
        cluster.on('+node', (node: Redis) => void node.connect().catch(() => undefined));
      return cluster;
    }
  }
}

/**
 * After a failover behind one name the old master stays connected and refuses writes, so the connection is made anew.
 * The refused command is sent again for whoever never gives up; else it fails, and the connection is left at most once
 * a second, since a Redis that stays read-only still answers reads.
 */
function leaveReadonly(command: 'fail' | 'resend'): (error: Error) => false | 1 | 2 {
  let leftAt = Number.NEGATIVE_INFINITY;
  return (error) => {
    if (redisFault(error)?.kind !== 'readonly') return false;
    if (command === 'resend') return 2;
    if (performance.now() - leftAt < MAX_RETRY_DELAY_MS) return false;
    leftAt = performance.now();
    return 1;
  };
}

/** Doubles from 50 ms to `MAX_RETRY_DELAY_MS`, with up to a fifth of jitter. */
function retryDelayMs(times: number): number {
  const delayMs = Math.min(50 * 2 ** Math.min(times - 1, 10), MAX_RETRY_DELAY_MS);
  return delayMs * (0.8 + 0.2 * Math.random());
}

function tlsOptions({ caFile, certFile, keyFile, serverName }: TlsConfig): NonNullable<RedisOptions['tls']> {
  return {
    ...(caFile !== undefined && { ca: readFileSync(caFile) }),
    ...(certFile !== undefined && { cert: readFileSync(certFile) }),
    ...(keyFile !== undefined && { key: readFileSync(keyFile) }),
    ...(serverName !== undefined && { servername: serverName }),
  };
}

function reportOutages(client: RedisClient, { config, name, log }: ConnectOptions): void {
  const fields = { connection: name, redis: describeRedis(config) };
  let isReported = false;
  // ioredis throws 'error' when nobody listens; every command that failed has told its own caller.
  client.on('error', (error: Error) => {
    outages.set(client, error);
    if (isReported) return;
    isReported = true;
    // Node says nothing but a code when several addresses of one name refused.
    log?.warn({ ...fields, reason: error.message || (error as { code?: unknown }).code }, 'redis away');
  });
  client.on('ready', () => {
    outages.delete(client);
    if (isReported) log?.info(fields, 'redis back');
    isReported = false;
  });
}
