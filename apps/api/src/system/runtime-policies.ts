/** This file owns which policies hold: those of the configuration, those made at run time, and the quotas of keys. */
import type { KeyPrincipal, KeyRing } from '@sluice/access';
import type { Limiter } from '@sluice/rate-limit';
import { MAX_POLICIES, type PolicyInput } from '@sluice/rate-limit/schemas';
import type { Log } from '@sluice/runtime';
import type { Recorded, Registry } from '@sluice/system';
import { policyFaults, QUOTA_PREFIX } from '../limit-config.ts';

/** An override each, and one that frees everybody else. */
const MAX_KEYS_A_POLICY = 9_999;

/** Five periods of quotas, each of at most 20,000 keys. */
const MAX_QUOTA_POLICIES = 15;

/** How many policies can be made at run time beside so many of the configuration. */
export function mostPolicies(configured: number): number {
  return Math.max(MAX_POLICIES - MAX_QUOTA_POLICIES - configured, 0);
}

export function recordedPolicies(): Recorded<PolicyInput> {
  return {
    kind: 'limit',
    noun: 'limit policy',
    read(given) {
      const faults = policyFaults(given);
      if (faults.length > 0)
        return { issues: faults.map(({ path, message }) => ({ path: path.replace(/^\./, ''), message })) };
      const body = given as PolicyInput;
      return { name: body.name, body };
    },
    told: (body) => body,
  };
}

/** Keeps `limiter` level with the registry and the keys from now on. */
export function followPolicies(options: {
  registry: Registry;
  keyRing: KeyRing;
  limiter: Limiter;
  configured: readonly PolicyInput[];
  log: Log;
}): void {
  const { registry, keyRing, limiter, configured, log } = options;
  const names = new Set(configured.map(({ name }) => name));
  let before = '';
  const apply = () => {
    const stored = registry
      .list('limit')
      .filter(({ name }) => !names.has(name))
      .map(({ body }) => body as PolicyInput);
    const quotas = quotaPolicies(keyRing.quotas());
    const text = JSON.stringify([stored, quotas]);
    if (text === before) return;
    // A later version may have stored what this one does not know.
    const known = stored.filter((policy) => policyFaults(policy).length === 0);
    // Servers that make policies at the same time may make a few more than there is room for.
    const held = known.slice(0, mostPolicies(configured.length));
    if (held.length < stored.length)
      log.error({ policies: stored.length, held: held.length }, 'some limit policies do not hold here');
    limiter.replacePolicies([...configured, ...held, ...quotas]);
    before = text;
  };
  registry.onChange(apply);
  keyRing.onChange(apply);
}

/** One policy a period, which is for keys with a quota alone. */
function quotaPolicies(principals: readonly KeyPrincipal[]): PolicyInput[] {
  const byPeriod = new Map<string, { key: string; limit: number }[]>();
  for (const { id, quota } of principals) {
    if (!quota?.requests) continue;
    const { period, limit } = quota.requests;
    byPeriod.set(period, [...(byPeriod.get(period) ?? []), { key: id, limit }]);
  }
  return [...byPeriod].flatMap(([period, overrides]) =>
    Array.from({ length: Math.ceil(overrides.length / MAX_KEYS_A_POLICY) }, (_, part): PolicyInput => {
      const from = part * MAX_KEYS_A_POLICY;
      return {
        name: `${QUOTA_PREFIX}${period}${part === 0 ? '' : `-${part + 1}`}`,
        algorithm: 'sliding',
        limit: 0,
        period,
        by: ['key'],
        overrides: [{ key: '*', limit: 'unlimited' }, ...overrides.slice(from, from + MAX_KEYS_A_POLICY)],
      };
    }),
  );
}
