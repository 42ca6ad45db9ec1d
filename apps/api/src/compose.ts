/** This file owns the wiring of the API, top to bottom: what is made, from what, and in which order it starts and stops. */
import { setMaxListeners } from 'node:events';
import { KeyRing } from '@sluice/access';
import { Channels } from '@sluice/channel';
import { keyspace } from '@sluice/config';
import type { routes } from '@sluice/contract';
import { Jobs } from '@sluice/jobs';
import { AttemptMetrics } from '@sluice/jobs/metrics';
import { clientAddressBy, Limiter } from '@sluice/rate-limit';
import { deriveSecret, type Log, loadMasterSecret, Metrics, type Service } from '@sluice/runtime';
import type { SessionCounts } from '@sluice/session';
import { AlertStates, MAX_TRAIL_ENTRIES, Registry, systemKeys, Trail } from '@sluice/system';
import type { Tracing } from '@sluice/tracing';
import type { AdminArea } from './admin/admin-area.ts';
import { AlertRounds } from './alerts/rounds.ts';
import { createApp, pageFallback } from './app.ts';
import { lazyHandlers } from './areas/lazy-handlers.ts';
import { CacheServices } from './cache-services.ts';
import type { ApiConfig } from './config.ts';
import { Connections } from './connections.ts';
import { FirstKey } from './first-key.ts';
import { createAuthentication } from './http/authentication.ts';
import type { Handlers } from './http/call.ts';
import { createAdmission } from './http/limit.ts';
import { createObserver } from './http/observation.ts';
import { Occupancy } from './http/occupancy.ts';
import type { Door } from './http/serve.ts';
import { registerCacheMetrics } from './metrics/cache-metrics.ts';
import { registerLimitMetrics } from './metrics/limit-metrics.ts';
import { registerOccupancyMetrics } from './metrics/occupancy-metrics.ts';
import { registerQueueMetrics } from './metrics/queue-metrics.ts';
import { registerRedisMetrics, reportsOf } from './metrics/redis-metrics.ts';
import { registerVisitorMetrics } from './metrics/visitor-metrics.ts';
import { lazyPages } from './pages.ts';
import { cacheHandlers } from './routes/cache.ts';
import { cacheOperationHandlers } from './routes/cache-operations.ts';
import { channelHandlers } from './routes/channels.ts';
import { flowHandlers } from './routes/flows.ts';
import { healthHandlers } from './routes/health.ts';
import { jobActionHandlers } from './routes/job-actions.ts';
import { jobEventHandlers } from './routes/job-events.ts';
import { jobHandlers } from './routes/jobs.ts';
import { leaseHandlers } from './routes/leases.ts';
import { limitHandlers } from './routes/limits.ts';
import { queueActionHandlers } from './routes/queue-actions.ts';
import { queueHandlers } from './routes/queues.ts';
import { scalingHandlers } from './routes/scaling.ts';
import { schedulerHandlers } from './routes/schedulers.ts';
import { systemAlertHandlers } from './routes/system-alerts.ts';
import { systemKeyHandlers } from './routes/system-keys.ts';
import { systemLimitHandlers } from './routes/system-limits.ts';
import { systemServiceHandlers } from './routes/system-services.ts';
import { HttpServer } from './server.ts';
import type { SessionStore } from './session-store.ts';
import { followPolicies } from './system/runtime-policies.ts';
import { followServices } from './system/runtime-services.ts';
import { createWatches } from './watches.ts';

export const VERSION = '0.1.0';
const ADMIN_PATH = '/admin';
const BOARD_PATH = '/admin/queues';

export interface Api {
  server: HttpServer;
  keyRing: KeyRing;
  /** In the order of their start. */
  services: readonly Service[];
}

/** `show` writes a line for a person. Makes the API; nothing listens before its services are started, though clients begin to connect at once. */
export async function compose(config: ApiConfig, log: Log, show: (line: string) => void): Promise<Api> {
  const secret = await loadMasterSecret({
    value: config.masterSecret?.reveal(),
    directory: config.dataDirectory,
  });
  const leaving = new AbortController();
  const stopping = new AbortController();
  // Each open stream listens.
  setMaxListeners(0, stopping.signal);
  const metrics = new Metrics();
  const tracing = config.isTraced ? await openTracing() : undefined;
  const connections = new Connections({ roles: config.roles, log });
  const keys = keyspace(config.roles.prefix, { isCluster: config.roles.redis.queue.kind === 'cluster' });
  const keyRing = new KeyRing({
    client: connections.role('queue'),
    keys,
    pepper: deriveSecret(secret, 'api keys'),
    firstKey: config.firstKey,
    trail: { key: systemKeys(keys).trail, maxEntries: MAX_TRAIL_ENTRIES },
    log,
  });
  const registry = new Registry({ client: connections.role('queue'), keys, log });
  const secrets = { secret: deriveSecret(secret, 'system'), roles: config.roles };
  const firstKey = new FirstKey({ keyRing, log, show: (key) => show(`API key: ${key}`) });
  const cacheServices = new CacheServices({
    configs: config.cacheServices,
    premises: {
      prefix: config.roles.prefix,
      dataDirectory: config.dataDirectory,
      maxValueBytes: config.maxValueBytes,
    },
    connections: {
      connect: (redis, service, profile, isOptional) => {
        if (redis === config.roles.redis.cache) return connections.role('cache', profile);
        const name = profile === 'request' ? `cache-${service}` : `cache-${service}-${profile}`;
        return connections.open(name, redis, { profile, isOptional });
      },
      detach: (client) => connections.detach(client),
    },
    isComplete: () => registry.isLoaded,
    log,
  });

  const jobs = new Jobs({
    client: connections.role('queue'),
    subscriber: connections.role('queue', 'subscriber'),
    keys,
    maxDataBytes: config.maxValueBytes,
    openDurable: () => connections.forProof('queue'),
    leases: {
      ...config.leases,
      secret: deriveSecret(secret, 'leases'),
      watch: new AttemptMetrics(metrics),
    },
    tracing,
  });
  stopping.signal.addEventListener('abort', () => jobs.leases.endWaits());
  const leases: Service = {
    name: 'leases',
    start: () => jobs.leases.start(),
    stop: () => jobs.leases.stop(),
  };

  const queueClient = connections.role('queue');

  const sessionClient = config.roles.sessionDriver === 'redis' ? connections.role('session') : undefined;
  let sessionStore: SessionStore | undefined;
  let sessionCounts: SessionCounts | undefined;

  const channelRedis = config.roles.redis.channel;
  const channels = new Channels({
    client: connections.role('channel'),
    subscriber: connections.role('channel', 'subscriber'),
    keys,
    database: channelRedis.kind === 'cluster' ? 0 : channelRedis.database,
    log,
  });

  const limiter = new Limiter({
    redis: connections.role('limit'),
    keys,
    policies: config.limits.policies,
    instances: config.limits.instances,
    log,
  });

  const configuredServices = config.cacheServices;
  const configuredPolicies = config.limits.policies;
  followServices({ registry, cacheServices, configured: configuredServices, secrets, log });
  followPolicies({ registry, keyRing, limiter, configured: configuredPolicies, log });

  registerQueueMetrics({ metrics, jobs });
  registerRedisMetrics({ metrics, connections });
  registerCacheMetrics({ metrics, cacheServices });
  registerVisitorMetrics({ metrics, channels, sessionCounts: () => sessionCounts });
  registerLimitMetrics({ metrics, limiter });
  const occupancy = new Occupancy({ max: config.maxInFlight, maxBodyBytes: config.maxBodyBytesInFlight });
  registerOccupancyMetrics({ metrics, occupancy });

  const alertStates = new AlertStates({ client: connections.role('queue'), keys });
  const alerts = new AlertRounds({
    everyMs: config.alertCheckMs,
    load: async () => {
      const { openAlerts } = await import('./areas/alerts.ts');
      const reports = () => reportsOf(connections);
      const leaseMs = 3 * config.alertCheckMs;
      return openAlerts({
        client: queueClient,
        keys,
        master: secret,
        registry,
        states: alertStates,
        jobs,
        reports,
        leaseMs,
        log,
      });
    },
    log,
  });

  const watches = createWatches({ config, connections, keys, jobs, metrics, log });

  const clientAddress = clientAddressBy(config.limits.trustedProxies);
  const door: Door = {
    authenticate: createAuthentication({
      keyRing,
      firstKey,
      allowsQueryCredentials: config.allowsQueryCredentials,
    }),
    admit: createAdmission({ limiter, clientAddress }),
    maxValueBytes: config.maxValueBytes,
    maxBatchBytes: config.maxBatchBytes,
    trace: tracing && ((span, work) => tracing.request(span, work)),
    observe: createObserver({ log, metrics, accessLog: config.accessLog }),
  };
  const handlers: Handlers<typeof routes> = {
    ...healthHandlers({
      connections,
      firstKey,
      metrics,
      warnings: watches.warnings,
      leaving: leaving.signal,
    }),
    ...jobHandlers({ jobs, stopping: stopping.signal }),
    ...jobActionHandlers({ jobs }),
    ...jobEventHandlers({ jobs, keyRing, stopping: stopping.signal }),
    ...queueHandlers({ jobs }),
    ...queueActionHandlers({ jobs }),
    ...scalingHandlers({ jobs }),
    ...schedulerHandlers({ jobs }),
    ...flowHandlers({ jobs }),
    ...lazyHandlers('deliveries', async () => {
      const { deliveryArea } = await import('./areas/deliveries.ts');
      return deliveryArea({ client: queueClient, keys, master: secret, jobs });
    }),
    ...leaseHandlers({ jobs }),
    ...limitHandlers({ limiter }),
    ...channelHandlers({ channels, keyRing, stopping: stopping.signal }),
    ...systemKeyHandlers({ keyRing, trail: new Trail({ client: connections.role('queue'), keys }) }),
    ...systemAlertHandlers({ registry, states: alertStates, watch: () => alerts.watch() }),
    ...systemLimitHandlers({ registry, configured: configuredPolicies }),
    ...systemServiceHandlers({ registry, cacheServices, configured: configuredServices, secrets }),
    ...lazyHandlers('sessions', async () => {
      const { openSessions } = await import('./areas/sessions.ts');
      const { store, handlers, counts } = openSessions({
        store: { client: sessionClient, dataDirectory: config.dataDirectory, keys, log },
        sessions: { secret: deriveSecret(secret, 'sessions'), ...config.sessions, log },
        allowsQueryCredentials: config.allowsQueryCredentials,
      });
      sessionStore = store;
      sessionCounts = counts;
      return handlers;
    }),
    ...cacheHandlers({ services: cacheServices, maxBatchItems: config.maxBatchItems }),
    ...cacheOperationHandlers({ services: cacheServices, stopping: stopping.signal, version: VERSION }),
  };
  const fallback = pageFallback(door);
  let admin: AdminArea | undefined;
  const openAdmin = async () => {
    const { AdminArea: Area } = await import('./admin/admin-area.ts');
    admin ??= new Area({
      ...{ keyRing, registry, jobs, limiter, keys, connections, handlers, clientAddress, log },
      stopping: stopping.signal,
      client: queueClient,
      master: secret,
    });
    return admin;
  };
  const pages = [
    lazyPages(BOARD_PATH, async () => await (await openAdmin()).board(), fallback),
    lazyPages(ADMIN_PATH, async () => (await openAdmin()).console(), fallback),
    lazyPages(
      '/openapi.json',
      async () => (await import('./docs.ts')).createDocument({ version: VERSION }),
      fallback,
    ),
    lazyPages('/docs', async () => (await import('./docs.ts')).createDocs(), fallback),
  ];
  const listener = createApp(handlers, door, pages, occupancy);
  const server = new HttpServer({ listener, host: config.host, port: config.port, leaving, stopping });
  return {
    server,
    keyRing,
    services: [
      ...(tracing ? [tracing] : []),
      connections,
      leases,
      cacheServices,
      { name: 'session store', stop: () => sessionStore?.stop() },
      channels,
      keyRing,
      registry,
      ...watches.services,
      alerts,
      server,
      firstKey,
    ],
  };
}

/** Nothing of it is loaded by an API that is not traced. */
async function openTracing(): Promise<Tracing> {
  const { Tracing } = await import('@sluice/tracing');
  return new Tracing({ name: 'sluice-api', version: VERSION });
}
