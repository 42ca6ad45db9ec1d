/** This file owns decisions without a round trip: refusals that are remembered, and charges that were paid ahead. */
import {
  type Ask,
  type Decision,
  decisionOf,
  type Quota,
  quotaOf,
  rememberedQuota,
  type Taken,
} from './decision.ts';
import { subjectText } from './keys.ts';
import type { Rule } from './policy.ts';
import type { PolicySet } from './policy-set.ts';
import type { Receipt } from './prepaid.ts';

/** The decision of a take, as far as this process can tell; `undefined`: ask Redis. */
export function decideFromMemory(
  policies: PolicySet,
  asks: readonly Ask[],
  nowMs: number,
): Decision | undefined {
  let atMs = 0;
  let refusals: Quota[] | undefined;
  let isPaid = asks.length > 0;
  for (const { policy, key, cost = 1 } of asks) {
    const subject = subjectText(key);
    const rule = policies.get(policy).ruleFor(subject);
    if (rule === undefined) continue;
    isPaid &&= rule.prepaid?.find(subject, cost, nowMs) !== undefined;
    // What is not remembered is not asked: it may refuse for longer.
    const denial = rule.denials.find(subject, cost, nowMs);
    if (denial === undefined) continue;
    rule.policy.tally.refused += 1;
    rule.policy.tally.remembered += 1;
    atMs = denial.epochMs + nowMs;
    const quota = rememberedQuota(rule, denial, nowMs);
    if (refusals) refusals.push(quota);
    else refusals = [quota];
  }
  if (refusals) return decisionOf(refusals, atMs, []);
  return isPaid ? spend(policies, asks, nowMs) : undefined;
}

/** Every ask is covered: `decideFromMemory` has looked. */
function spend(policies: PolicySet, asks: readonly Ask[], nowMs: number): Decision {
  const quotas: Quota[] = [];
  const taken: Taken[] = [];
  let epochMs = 0;
  for (const { policy, key, cost = 1 } of asks) {
    const subject = subjectText(key);
    const rule = policies.get(policy).ruleFor(subject);
    const purse = rule?.prepaid?.find(subject, cost, nowMs);
    if (rule === undefined || purse === undefined) continue;
    rule.prepaid?.spend(subject, cost);
    rule.policy.tally.allowed += 1;
    epochMs = purse.receipt.epochMs;
    quotas.push(prepaidQuota(rule, purse.units, purse.receipt, nowMs));
    taken.push({ policy, key, cost, takenAtMs: Math.floor(nowMs + epochMs) });
  }
  return decisionOf(quotas, nowMs + epochMs, taken);
}

/** What is left: by Redis when it was asked last, and what is paid here. */
function prepaidQuota(
  rule: Rule,
  units: number,
  { remaining, nextAtMs, fullAtMs }: Receipt,
  nowMs: number,
): Quota {
  const next = Math.max(Math.ceil(nextAtMs - nowMs), 0);
  const reset = Math.max(Math.ceil(fullAtMs - nowMs), 0);
  return quotaOf(rule, { remaining: remaining + units, retry: 0, next, reset }, 'redis');
}
