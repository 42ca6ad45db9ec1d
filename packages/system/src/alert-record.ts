/** This file owns an alert as a record: what may be left out, and the alerts that are there before anybody made one. */
import type { Recorded } from './book.ts';
import { ALERT_RULES, type Alert, type AlertRule, alertSchema } from './schemas.ts';

/** The published page's thresholds where it has one. */
const DEFAULTS: Readonly<Record<AlertRule, { threshold: number; for_seconds: number }>> = {
  failure_rate: { threshold: 0.1, for_seconds: 60 },
  oldest_age: { threshold: 300, for_seconds: 60 },
  no_consumer: { threshold: 0, for_seconds: 120 },
  stalled: { threshold: 0, for_seconds: 0 },
  redis_down: { threshold: 0, for_seconds: 60 },
  redis_memory: { threshold: 0.8, for_seconds: 300 },
  redis_clients: { threshold: 0.8, for_seconds: 300 },
  redis_hit_ratio: { threshold: 0.5, for_seconds: 900 },
  redis_evictions: { threshold: 0, for_seconds: 0 },
  redis_queue_evictions: { threshold: 0, for_seconds: 0 },
};

export function recordedAlerts(): Recorded<Alert> {
  return {
    kind: 'alert',
    noun: 'alert',
    read(given) {
      const read = alertSchema.safeParse(withDefaults(given));
      if (read.success) return { name: read.data.name, body: read.data };
      return { issues: read.error.issues.map(({ path, message }) => ({ path: path.join('.'), message })) };
    },
    told: (alert) => alert,
  };
}

/** One of each rule, named after it: they need no more than an endpoint. */
export function builtInAlerts(): Alert[] {
  return ALERT_RULES.map((rule) =>
    alertSchema.parse(withDefaults({ name: rule.replaceAll('_', '-'), rule })),
  );
}

function withDefaults(given: unknown): unknown {
  if (typeof given !== 'object' || given === null) return given;
  const { rule } = given as { rule?: unknown };
  const known = ALERT_RULES.find((each) => each === rule);
  return known === undefined ? given : { ...DEFAULTS[known], ...given };
}
