/** This file owns connections to Redis: the only `new Redis`, and the profiles that decide what a client does in an outage. */
import { readFileSync } from 'node:fs';
import { describeRedis, type RedisConfig, type TlsConfig } from '@sluice/config';
import type { Log } from '@sluice/runtime';
import { Cluster, Redis, type RedisOptions } from 'ioredis';

export type RedisClient = Redis | Cluster;

/**
 * What a client does while Redis is away:
 * - `request` fails at once (nothing queues, nothing is resent) and bounds every answer: for whoever has a caller waiting
 * - `worker` never gives up and never times a command out: a completed job must not be failed because its answer was slow.
 *   A socket that stays silent for 30 s is rebuilt
 * - `subscriber` never gives up and resubscribes
 */
export type Profile = 'request' | 'worker' | 'subscriber';

export interface ConnectOptions {
  config: RedisConfig;
  profile: Profile;
  /** Shown in `CLIENT LIST` as `sluice:{name}`. */
  name: string;
  log?: Log | undefined;
}

/** A request has 2 s in all; the rest is for us. */
export const REQUEST_COMMAND_TIMEOUT_MS = 1_500;
const REQUEST_SOCKET_TIMEOUT_MS = 5_000;
/** Above BullMQ's drain delay (5 s) and the longest script. */
const WORKER_SOCKET_TIMEOUT_MS = 30_000;
const MAX_RETRY_DELAY_MS = 1_000;
const KEEP_ALIVE_MS = 10_000;

/**
 * Opens a client and begins to connect; wait with `untilReady`. The caller owns it and closes it with `close`.
 *
 * Throws only when a TLS file cannot be read. Connection failures are retried for ever, at most
 * `MAX_RETRY_DELAY_MS` apart, and logged once an outage.
 */
export function connect(options: ConnectOptions): RedisClient {
  const client = open(options.config, clientOptions(options));
  reportOutages(client, options);
  return client;
}

/** Resolves when commands are served; rejects after `timeoutMs` with the last connection error as its cause. */
export function untilReady(client: RedisClient, timeoutMs: number): Promise<void> {
  if (client.status === 'ready') return Promise.resolve();
  return new Promise((resolve, reject) => {
    let lastError: unknown;
    const onError = (error: unknown) => {
      lastError = error;
    };
    const settle = (finish: () => void) => () => {
      clearTimeout(timer);
      client.off('ready', onReady);
      client.off('error', onError);
      finish();
    };
    const onReady = settle(resolve);
    const timer = setTimeout(
      settle(() => reject(new Error(`Redis not answered within ${timeoutMs} ms`, { cause: lastError }))),
      timeoutMs,
    );
    client.on('ready', onReady);
    client.on('error', onError);
  });
}

/** Lets sent commands finish for `timeoutMs`, then drops the connection. Never rejects. */
export async function close(client: RedisClient, timeoutMs = 1_000): Promise<void> {
  if (client.status === 'end') return;
  if (client.status === 'ready') {
    const timer = setTimeout(() => client.disconnect(), timeoutMs);
    // A connection that dies while it says goodbye is closed as well.
    await client.quit().catch(() => undefined);
    clearTimeout(timer);
  }
  client.disconnect();
}

type PlainOptions = Omit<RedisOptions, 'replyMapping'>;

function clientOptions({ config, profile, name }: ConnectOptions): PlainOptions {
  const common: PlainOptions = {
    // RESP2: BullMQ's own suite runs on it, and nothing here needs RESP3's types.
    protocol: 2,
    connectionName: `sluice:${name}`,
    keepAlive: KEEP_ALIVE_MS,
    retryStrategy: retryDelayMs,
    // After a failover behind one name the old master stays connected and refuses writes: reconnect, then send again.
    reconnectOnError: (error) => (/READONLY/.test(error.message) ? 2 : false),
    ...(config.username !== undefined && { username: config.username }),
    ...(config.password && { password: config.password.reveal() }),
    ...(config.tls && { tls: tlsOptions(config.tls) }),
  };
  switch (profile) {
    case 'request':
      return {
        ...common,
        enableOfflineQueue: false,
        maxRetriesPerRequest: 0,
        commandTimeout: REQUEST_COMMAND_TIMEOUT_MS,
        socketTimeout: REQUEST_SOCKET_TIMEOUT_MS,
        connectTimeout: 2_000,
      };
    case 'worker':
      return { ...common, maxRetriesPerRequest: null, socketTimeout: WORKER_SOCKET_TIMEOUT_MS, connectTimeout: 5_000 };
    case 'subscriber':
      return { ...common, maxRetriesPerRequest: null, connectTimeout: 5_000 };
  }
}

function open(config: RedisConfig, options: PlainOptions): RedisClient {
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
        // Subscribes to +switch-master, so that a silent old master is left at once.
        failoverDetector: true,
        ...(config.sentinelUsername !== undefined && { sentinelUsername: config.sentinelUsername }),
        ...(config.sentinelPassword && { sentinelPassword: config.sentinelPassword.reveal() }),
        ...(config.tls && { enableTLSForSentinelMode: true }),
      });
    case 'cluster': {
      const { retryStrategy, enableOfflineQueue, reconnectOnError, ...redisOptions } = options;
      return new Cluster([...config.nodes], {
        redisOptions,
        enableOfflineQueue: enableOfflineQueue ?? true,
        clusterRetryStrategy: retryDelayMs,
        slotsRefreshTimeout: 2_000,
        shardedSubscribers: true,
      });
    }
  }
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
    if (isReported) return;
    isReported = true;
    log?.warn({ ...fields, reason: error.message }, 'redis away');
  });
  client.on('ready', () => {
    if (isReported) log?.info(fields, 'redis back');
    isReported = false;
  });
}
