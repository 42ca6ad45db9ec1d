/** This file owns the policies by name, and how an ask becomes a check of one rule against one Redis key. */
import type { Keyspace } from '@sluice/config';
import { DomainError } from '@sluice/runtime';
import type { Ask } from './decision.ts';
import { limitKeys, type Subject, subjectOf } from './keys.ts';
import { Policy, type Rule, type Tally } from './policy.ts';
import { type LimitErrorCode, MAX_COST, MAX_POLICIES, type PolicyInput } from './schemas.ts';
import type { Check } from './steps.ts';

/** A check with the ask it came from. */
export interface Asked<A extends Ask = Ask> {
  ask: A;
  check: Check;
}

export class PolicySet {
  readonly #stateKey: ReturnType<typeof limitKeys>;
  #byName: ReadonlyMap<string, Policy>;
  /** As written, to tell which policies stay. */
  #texts = new Map<string, string>();

  /** Throws a `ZodError` or `TypeError` when a policy is faulty, or two have one name. */
  constructor(options: { keys: Keyspace; policies: readonly PolicyInput[] }) {
    this.#stateKey = limitKeys(options.keys);
    this.#byName = new Map();
    this.replace(options.policies);
  }

  get byName(): ReadonlyMap<string, Policy> {
    return this.#byName;
  }

  get tallies(): ReadonlyMap<string, Tally> {
    return new Map([...this.#byName].map(([name, { tally }]) => [name, tally]));
  }

  /**
   * A policy written as before stays the same one, with its tally, what it remembers and what it has paid ahead. Throws as
   * the constructor, and then nothing changes.
   */
  replace(inputs: readonly PolicyInput[]): void {
    if (inputs.length > MAX_POLICIES)
      throw new TypeError(`${inputs.length} policies are more than ${MAX_POLICIES}`);
    const policies = new Map<string, Policy>();
    const texts = new Map<string, string>();
    for (const input of inputs) {
      const text = JSON.stringify(input);
      const before = this.#texts.get(input.name) === text ? this.#byName.get(input.name) : undefined;
      const policy = before ?? new Policy(input);
      if (policies.has(policy.name)) throw new TypeError(`two policies are called '${policy.name}'`);
      policies.set(policy.name, policy);
      texts.set(policy.name, text);
    }
    this.#byName = policies;
    this.#texts = texts;
  }

  /** Throws `policy_unknown`. */
  get(name: string): Policy {
    const policy = this.#byName.get(name);
    if (policy) return policy;
    throw new DomainError<LimitErrorCode>('policy_unknown', `There is no limit policy '${name}'.`, {
      details: { policy: name },
    });
  }

  /** A check for each ask that has a limit at all; `TypeError` for a faulty cost, or one policy and key asked twice. */
  resolve<A extends Ask>(
    asks: readonly A[],
    extraOf: (ask: A, rule: Rule, subject: Subject) => string = () => '-',
  ): Asked<A>[] {
    const asked: Asked<A>[] = [];
    for (const ask of asks) {
      const { cost = 1 } = ask;
      if (!Number.isInteger(cost) || cost < 0 || cost > MAX_COST) {
        throw new TypeError(`a cost is a whole number from 0 to ${MAX_COST}, not ${cost}`);
      }
      const subject = subjectOf(ask.key);
      const policy = this.get(ask.policy);
      const rule = policy.ruleFor(subject.text);
      if (rule === undefined) continue;
      const state = this.#stateKey(policy.name, rule.shape, subject);
      if (asked.some(({ check }) => check.state === state)) {
        throw new TypeError(`policy '${policy.name}' is asked twice for the same key`);
      }
      asked.push({ ask, check: { rule, subject, state, cost, extra: extraOf(ask, rule, subject) } });
    }
    return asked;
  }
}
