/** This file owns the limiter: asks become checks, answers become decisions; what happens without Redis is decided here. */
import { randomBytes } from 'node:crypto';
import type { Keyspace } from '@sluice/config';
import { Cluster, type RedisClient } from '@sluice/redis';
import { type Clock, DomainError, type Log, systemClock } from '@sluice/runtime';
import {
  type Ask,
  blindQuota,
  type Decision,
  decisionOf,
  type Quota,
  quotaOf,
  type Taken,
} from './decision.ts';
import { RECHECK_AFTER_MS } from './denials.ts';
import { decideFromMemory } from './from-memory.ts';
import { LocalCounts } from './local-counts.ts';
import type { Policy, Tally } from './policy.ts';
import { type Asked, PolicySet } from './policy-set.ts';
import type { LimitErrorCode, PolicyInput } from './schemas.ts';
import type { Answer, Check, Figures, StepKind } from './steps.ts';
import { Turn } from './turn.ts';

/** Of the 150 ms that a decision may take while Redis is away; the rest is for a busy process. */
export const DEFAULT_DEADLINE_MS = 100;

export interface LimiterOptions {
  /** Profile `request`. The caller owns it. */
  redis: RedisClient;
  keys: Keyspace;
  policies: readonly PolicyInput[];
  /** How long to wait for Redis before each policy's `away` decides. Default `DEFAULT_DEADLINE_MS`. */
  deadlineMs?: number;
  /** Processes that share the limits while Redis is away. Default 1. */
  instances?: number;
  log?: Log | undefined;
  clock?: Clock;
  /** For tests: the time Redis goes by. Default its own clock. */
  serverNowMs?: (() => number) | undefined;
}

export interface RefusedSubject {
  policy: string;
  /** The parts of the key joined by `|`, percent-encoded where they hold `%`, `|`, `{` or `}`. */
  subject: string;
  retryAfterMs: number;
}

/** A check and how it was answered. */
interface Outcome extends Asked {
  quota: Quota;
  /** The units ahead were charged as well. */
  hasAhead: boolean;
  /** `null`: without Redis. */
  answeredAtMs: number | null;
}

/**
 * Limits of any number of policies, counted in Redis and decided there in one atomic step.
 *
 * ```ts
 * const decision = await limiter.take({ policy: 'writes', key: principal.id, cost: 3 });
 * if (!decision.isAllowed) return retryLater(decision.retryAfterMs);
 * ```
 */
export class Limiter {
  readonly #options: LimiterOptions;
  readonly #clock: Clock;
  readonly #turn: Turn;
  readonly #local: LocalCounts;
  readonly #policies: PolicySet;

  /** Throws a `ZodError` or `TypeError` when a policy is faulty. */
  constructor(options: LimiterOptions) {
    const {
      redis,
      keys,
      deadlineMs = DEFAULT_DEADLINE_MS,
      instances = 1,
      clock = systemClock,
      log,
      serverNowMs,
    } = options;
    this.#options = options;
    this.#clock = clock;
    this.#turn = new Turn({ redis, clock, deadlineMs, log, serverNowMs });
    this.#local = new LocalCounts({ clock, instances });
    this.#policies = new PolicySet({ keys, policies: options.policies });
  }

  get policies(): ReadonlyMap<string, Policy> {
    return this.#policies.byName;
  }

  /** Whether decisions are made without Redis just now; always false in a Cluster, where each call finds out for itself. */
  get isAway(): boolean {
    return this.#turn.isAway;
  }

  /** By policy. */
  get tallies(): ReadonlyMap<string, Tally> {
    return this.#policies.tallies;
  }

  /** Whom this process has refused lately and still refuses, the longest first; at most `most` of a policy. Others refuse others. */
  refused(most: number): RefusedSubject[] {
    const nowMs = this.#clock.monotonicMs();
    const all = [...this.policies.values()].flatMap(({ name: policy, rules }) =>
      rules
        .flatMap(({ denials }) => denials.list(nowMs, most))
        .slice(0, most)
        .map(([subject, { untilMs }]) => ({ policy, subject, retryAfterMs: untilMs - nowMs })),
    );
    return all.sort((one, other) => other.retryAfterMs - one.retryAfterMs);
  }

  /** Other policies from now on; counts of those that stay as they were go on. Throws as the constructor, and then nothing changes. */
  replacePolicies(policies: readonly PolicyInput[]): void {
    this.#policies.replace(policies);
  }

  /**
   * Charges every ask, or, when one is refused, none.
   *
   * In a Redis Cluster, asks whose keys begin with different parts lie in different slots; they are charged side by
   * side and given back when one refuses. Never one too many passes; for a moment one too many may be refused.
   *
   * Rejects with `policy_unknown`, and with `TypeError` for a faulty cost or the same policy and key twice.
   */
  async take(...asks: readonly Ask[]): Promise<Decision> {
    const nowMs = this.#clock.monotonicMs();
    const known = decideFromMemory(this.#policies, asks, nowMs);
    if (known) return known;
    const asked = this.#policies.resolve(asks, (_, { prepaid, algorithm }, { text }) => {
      if (algorithm === 'concurrency') return randomBytes(12).toString('base64url');
      return prepaid ? String(prepaid.order(text, nowMs) || '-') : '-';
    });
    const outcomes = await this.#ask('take', asked);
    const isAllowed = outcomes.every(passes);
    this.#count(outcomes, isAllowed);
    if (isAllowed) {
      this.#keepAhead(outcomes);
    } else {
      await this.#giveBackOtherSlots(outcomes);
      this.#rememberRefusals(outcomes);
    }
    return this.#decision(outcomes, isAllowed ? this.#charge(outcomes) : []);
  }

  /** What `take` would say now. Charges nothing, and is not counted. */
  async peek(...asks: readonly Ask[]): Promise<Decision> {
    return this.#decision(await this.#ask('peek', this.#policies.resolve(asks)), []);
  }

  /**
   * Gives back what was charged: `refund(...decision.taken)`. With `takenAtMs` only to the window it was taken from;
   * what has expired since is not given back. A lease is released. Rejects with `limit_unavailable`.
   */
  async refund(...charges: readonly (Ask & Partial<Taken>)[]): Promise<void> {
    const isOurs = ({ takenAtMs }: Partial<Taken>) => takenAtMs === null;
    for (const charge of charges.filter(isOurs)) {
      const [ours] = this.#policies.resolve([charge], ({ lease }) => lease ?? '-');
      if (ours) this.#local.refund(ours.check);
    }
    const shared = charges.filter((charge) => !isOurs(charge));
    await this.#adjust('refund', shared, ({ takenAtMs, lease }) => lease ?? String(takenAtMs ?? '-'));
  }

  /** Charges without asking, below nothing left if need be. Not for concurrency policies. Rejects with `limit_unavailable`. */
  async penalize(...asks: readonly Ask[]): Promise<void> {
    for (const { policy } of asks) {
      if (this.#policies.get(policy).isConcurrent)
        throw new TypeError(`policy '${policy}' counts leases and has no penalty`);
    }
    await this.#adjust('penalize', asks, () => '-');
  }

  /** Refuses everything of this key for `durationMs`. Rejects with `limit_unavailable`. */
  async block(ask: Ask & { durationMs: number }): Promise<void> {
    if (!Number.isSafeInteger(ask.durationMs) || ask.durationMs < 1) {
      throw new TypeError(`a block lasts a whole number of milliseconds, not ${ask.durationMs}`);
    }
    await this.#adjust('block', [ask], () => String(ask.durationMs));
  }

  /** Forgets all that was charged, leases and blocks included. Other processes may refuse from memory for 5 s more. Rejects with `limit_unavailable`. */
  async reset(...asks: readonly Ask[]): Promise<void> {
    await this.#adjust('reset', asks, () => '-');
  }

  /** Gives up the leases among `taken`, and leaves other charges. Leases that have ended are passed over. Rejects with `limit_unavailable`. */
  async release(...taken: readonly Taken[]): Promise<void> {
    const leases = taken.filter(({ lease }) => lease !== undefined);
    await this.refund(...leases);
  }

  /** Begins the leases among `taken` anew; answers false when one had ended, and another may have its place. Rejects with `limit_unavailable`. */
  async renew(...taken: readonly Taken[]): Promise<boolean> {
    const leases = taken.filter(({ lease }) => lease !== undefined);
    const figures = await this.#adjust('renew', leases, ({ lease = '' }) => lease);
    return figures.every(({ retry }) => retry === 0);
  }

  /** One call to Redis; in a Cluster one a slot. */
  async #ask(kind: 'take' | 'peek', asked: readonly Asked[]): Promise<Outcome[]> {
    if (asked.length === 0) return [];
    if (!(this.#options.redis instanceof Cluster)) {
      return this.#outcomes(asked, await this.#turn.ask({ kind, checks: asked.map(({ check }) => check) }));
    }
    const groups = bySlot(asked);
    const answers = await Promise.all(
      groups.map((group) => this.#turn.ask({ kind, checks: group.map(({ check }) => check) })),
    );
    const outcomes = groups.flatMap((group, i) => this.#outcomes(group, answers[i] as Answer | 'away'));
    return asked.map((each) => outcomes.find(({ check }) => check === each.check) as Outcome);
  }

  #outcomes(asked: readonly Asked[], answer: Answer | 'away'): Outcome[] {
    return asked.map(({ ask, check }, i) => {
      if (answer === 'away')
        return { ask, check, quota: this.#withoutRedis(check), hasAhead: false, answeredAtMs: null };
      const figures = answer.figures[i] as Figures;
      const quota = quotaOf(check.rule, figures, 'redis');
      return { ask, check, quota, hasAhead: figures.hasAhead === true, answeredAtMs: answer.nowMs };
    });
  }

  #withoutRedis(check: Check): Quota {
    const { rule } = check;
    switch (rule.policy.away) {
      case 'open':
        return blindQuota(rule, true);
      case 'closed':
        return blindQuota(rule, false);
      case 'memory':
        return quotaOf(rule, this.#local.look(check), 'memory');
    }
  }

  #decision(outcomes: readonly Outcome[], taken: readonly Taken[]): Decision {
    const atMs = outcomes[0]?.answeredAtMs ?? this.#clock.now();
    const quotas = outcomes.map(({ quota }) => quota);
    return decisionOf(quotas, atMs, taken);
  }

  /** What an allowed take has charged: by Redis already, by this process now. */
  #charge(outcomes: readonly Outcome[]): Taken[] {
    const taken: Taken[] = [];
    for (const { ask, check, quota, answeredAtMs } of outcomes) {
      if (!quota.isAllowed || check.cost === 0 || quota.decidedBy === 'nobody') continue;
      if (quota.decidedBy === 'memory') this.#local.add(check);
      taken.push({
        policy: ask.policy,
        key: ask.key,
        cost: check.cost,
        takenAtMs: answeredAtMs,
        ...(check.rule.algorithm === 'concurrency' && { lease: check.extra }),
      });
    }
    return taken;
  }

  /** In a Cluster a slot that passed has charged, though another refused. */
  async #giveBackOtherSlots(outcomes: readonly Outcome[]): Promise<void> {
    if (!(this.#options.redis instanceof Cluster)) return;
    const charged = bySlot(outcomes).filter(
      (group) => group.every(passes) && group.every(({ answeredAtMs }) => answeredAtMs !== null),
    );
    // What cannot be given back expires; nobody passes who should not.
    await this.refund(...charged.flatMap((group) => this.#charge(group))).catch(() => undefined);
  }

  #keepAhead(outcomes: readonly Outcome[]): void {
    const nowMs = this.#clock.monotonicMs();
    for (const { check, quota, hasAhead, answeredAtMs } of outcomes) {
      const { rule, subject, extra } = check;
      if (rule.prepaid === undefined || extra === '-' || answeredAtMs === null) continue;
      rule.prepaid.fill(subject.text, hasAhead ? Number(extra) : 0, nowMs, {
        remaining: quota.remaining ?? 0,
        nextAtMs: nowMs + quota.nextAfterMs,
        fullAtMs: nowMs + quota.resetAfterMs,
        epochMs: answeredAtMs - nowMs,
      });
    }
  }

  #rememberRefusals(outcomes: readonly Outcome[]): void {
    const nowMs = this.#clock.monotonicMs();
    for (const { check, quota, answeredAtMs } of outcomes) {
      const { rule, subject, cost } = check;
      if (quota.isAllowed || quota.isShadow || answeredAtMs === null || quota.retryAfterMs === null) continue;
      // A lease may be given up at any time.
      if (rule.algorithm === 'concurrency') continue;
      rule.denials.remember(subject.text, {
        cost,
        remaining: quota.remaining ?? 0,
        untilMs: nowMs + quota.retryAfterMs,
        fullAtMs: nowMs + quota.resetAfterMs,
        recheckAtMs: nowMs + RECHECK_AFTER_MS,
        epochMs: answeredAtMs - nowMs,
      });
    }
  }

  #count(outcomes: readonly Outcome[], isAllowed: boolean): void {
    for (const { check, quota } of outcomes) {
      const { tally } = check.rule.policy;
      if (quota.decidedBy !== 'redis') tally.away += 1;
      if (quota.isAllowed) tally.allowed += isAllowed ? 1 : 0;
      else if (quota.isShadow) tally.shadowRefused += 1;
      else tally.refused += 1;
    }
  }

  async #adjust<A extends Ask>(
    kind: StepKind,
    asks: readonly A[],
    extraOf: (ask: A) => string,
  ): Promise<readonly Figures[]> {
    // One by one: two leases of one key are two charges.
    const checks = asks.flatMap((ask) => this.#policies.resolve([ask], extraOf)).map(({ check }) => check);
    const answers = await Promise.all(checks.map((check) => this.#turn.ask({ kind, checks: [check] })));
    for (const { rule, subject } of checks) {
      rule.denials.forget(subject.text);
      rule.prepaid?.forget(subject.text);
    }
    return answers.flatMap((answer) => {
      if (answer !== 'away') return answer.figures;
      throw new DomainError<LimitErrorCode>('limit_unavailable', 'Redis is away; the limit was not changed.');
    });
  }
}

function passes({ quota }: Outcome): boolean {
  return quota.isAllowed || quota.isShadow;
}

function bySlot<A extends Asked>(asked: readonly A[]): A[][] {
  const groups = new Map<string, A[]>();
  for (const each of asked) {
    const { tag } = each.check.subject;
    groups.set(tag, [...(groups.get(tag) ?? []), each]);
  }
  return [...groups.values()];
}
