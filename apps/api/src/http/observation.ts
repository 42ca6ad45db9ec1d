/** This file owns what is kept of each request: one log line and one measurement. */
import type { Log, Metrics } from '@sluice/runtime';
import type { Observation } from './serve.ts';

/** Asked every few seconds by whoever watches us: a line each would be most of the log. */
const PROBES: ReadonlySet<string> = new Set(['livez', 'readyz', 'metrics']);

/** Tells requests to the log and the metrics. `accessLog` says which answered requests are logged; failures of ours always are. */
export function createObserver(options: { log: Log; metrics: Metrics; accessLog: 'all' | 'errors' | 'off' }) {
  const { log, metrics, accessLog } = options;
  const durations = metrics.histogram('sluice_http_request_duration_seconds', 'Time from request to answer', [
    'route',
    'status',
  ]);
  // prom-client finds a label set by hashing it; the few sets there are, are kept.
  const byRoute = new Map<string, { observe(seconds: number): void }>();

  return (observation: Observation): void => {
    const { requestId, route, method, status, durationMs, principal, reason, error } = observation;
    const name = `${route} ${status}`;
    let duration = byRoute.get(name);
    if (!duration) {
      duration = durations.labels(route, String(status));
      byRoute.set(name, duration);
    }
    duration.observe(durationMs / 1_000);

    if (error !== undefined) {
      log.error({ requestId, route, method, status, durationMs, principal, err: error }, 'request failed');
    } else if (accessLog === 'all' || (accessLog === 'errors' && status >= 400)) {
      log[PROBES.has(route) && status < 400 ? 'debug' : 'info'](
        {
          requestId,
          route,
          method,
          status,
          durationMs: Math.round(durationMs * 1_000) / 1_000,
          principal,
          reason,
        },
        'request',
      );
    }
  };
}
