/** This file owns what a scrape is told of limits. */
import type { Limiter } from '@sluice/rate-limit';
import type { Metrics } from '@sluice/runtime';

/** Tallied by the limiter in plain numbers and copied at a scrape: a labelled counter would cost more than a refusal. */
export function registerLimitMetrics({ metrics, limiter }: { metrics: Metrics; limiter: Limiter }): void {
  const decisions = metrics.counter('sluice_limit_decisions_total', 'What limits have decided', [
    'policy',
    'outcome',
  ]);
  const away = metrics.counter('sluice_limit_away_decisions_total', 'Decided without Redis', ['policy']);
  const remembered = metrics.counter('sluice_limit_remembered_refusals_total', 'Refused from memory', [
    'policy',
  ]);
  metrics.beforeScrape(async () => {
    for (const counter of [decisions, away, remembered]) counter.reset();
    for (const [policy, tally] of limiter.tallies) {
      decisions.inc({ policy, outcome: 'allowed' }, tally.allowed);
      decisions.inc({ policy, outcome: 'refused' }, tally.refused);
      decisions.inc({ policy, outcome: 'shadow_refused' }, tally.shadowRefused);
      away.inc({ policy }, tally.away);
      remembered.inc({ policy }, tally.remembered);
    }
  });
}
