/** This file owns the answers of /livez, /readyz and /metrics. */
import type { routes } from '@sluice/contract';
import type { Metrics } from '@sluice/runtime';
import type { Connections } from '../connections.ts';
import type { FirstKey } from '../first-key.ts';
import type { Handlers } from '../http/call.ts';
import { json } from '../http/reply.ts';
import type { Warning } from '../watches.ts';

type HealthRoutes = Pick<typeof routes, 'livez' | 'readyz' | 'metrics'>;

/** `leaving` aborts when the process has been asked to stop: it is alive, and should get no more traffic. */
export function healthHandlers(services: {
  connections: Connections;
  firstKey: FirstKey;
  metrics: Metrics;
  warnings: () => Warning[];
  leaving: AbortSignal;
}): Handlers<HealthRoutes> {
  const { connections, firstKey, metrics, leaving, warnings: warn } = services;
  return {
    livez: () => json(200, { status: 'ok' }),
    readyz: async () => {
      const redis = await connections.health();
      const warnings = warn();
      const isServing =
        !leaving.aborted && firstKey.isSettled && redis.every(({ status }) => status === 'up');
      if (!isServing) return json(503, { status: 'not_ready', redis, warnings });
      // What is written now would be in the way of the backup that somebody may be about to restore.
      if (warnings.includes('data_loss_suspected'))
        return json(503, { status: 'data_loss_suspected', redis, warnings });
      return json(200, { status: 'ready', redis, warnings });
    },
    metrics: async () => ({
      status: 200,
      body: await metrics.text(),
      headers: { 'Content-Type': metrics.contentType },
    }),
  };
}
