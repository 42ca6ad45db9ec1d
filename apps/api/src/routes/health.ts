/** This file owns the answers of /livez, /readyz and /metrics. */
import type { routes } from '@sluice/contract';
import type { Metrics } from '@sluice/runtime';
import type { Connections } from '../connections.ts';
import type { FirstKey } from '../first-key.ts';
import type { Handlers } from '../http/call.ts';
import { json } from '../http/reply.ts';

type HealthRoutes = Pick<typeof routes, 'livez' | 'readyz' | 'metrics'>;

/** `leaving` aborts when the process has been asked to stop: it is alive, and should get no more traffic. */
export function healthHandlers(services: {
  connections: Connections;
  firstKey: FirstKey;
  metrics: Metrics;
  leaving: AbortSignal;
}): Handlers<HealthRoutes> {
  const { connections, firstKey, metrics, leaving } = services;
  return {
    livez: () => json(200, { status: 'ok' }),
    readyz: async () => {
      const redis = await connections.health();
      const isReady = !leaving.aborted && firstKey.isSettled && redis.every(({ status }) => status === 'up');
      return json(isReady ? 200 : 503, { status: isReady ? 'ready' : 'not_ready', redis });
    },
    metrics: async () => ({
      status: 200,
      body: await metrics.text(),
      headers: { 'Content-Type': metrics.contentType },
    }),
  };
}
