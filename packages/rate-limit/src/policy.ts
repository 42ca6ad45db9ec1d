/** This file owns a policy ready for use: its default rule, its overrides, and each rule as the Lua script reads it. */
import { Denials } from './denials.ts';
import { type Glob, glob } from './glob.ts';
import { Prepaid } from './prepaid.ts';
import {
  type Algorithm,
  type AwayMode,
  type Fact,
  type PolicyInput,
  type PolicySettings,
  policySchema,
} from './schemas.ts';

/** Slices of a sliding window: a charge leaves at most a twentieth of the period late. */
const SLICES = 20;
const DEFAULT_LEASE_MS = 30_000;
/** Half of what a double counts exactly: a full bucket and one more charge still fit. */
const MAX_PARTS = 2 ** 52;

/** One limit of a policy: the default, or an override. */
export interface Rule {
  readonly policy: Policy;
  readonly algorithm: Algorithm;
  readonly limit: number;
  /** The most that fits at once: the burst of GCRA, else the limit. */
  readonly capacity: number;
  /** `null` for concurrency. */
  readonly periodMs: number | null;
  /** `null` but for concurrency. */
  readonly leaseMs: number | null;
  /** `kind limit a b block_ms is_shadow;` of `limit.lua`. */
  readonly text: string;
  /** Part of the Redis key: how the state is counted. */
  readonly shape: string;
  /** Who was refused lately. */
  readonly denials: Denials;
  /** What was charged ahead; `undefined` when the policy does not. */
  readonly prepaid: Prepaid | undefined;
}

/** How often a policy has decided what, since this process began. */
export interface Tally {
  allowed: number;
  refused: number;
  /** Would have been refused by a policy in shadow. */
  shadowRefused: number;
  /** Of the refused: answered from memory. */
  remembered: number;
  /** Decided without Redis. */
  away: number;
}

export class Policy {
  readonly name: string;
  /** `undefined`: not for requests, only for who asks by name. */
  readonly by: readonly Fact[] | undefined;
  readonly isShadow: boolean;
  readonly away: AwayMode;
  readonly tally: Tally = { allowed: 0, refused: 0, shadowRefused: 0, remembered: 0, away: 0 };
  readonly #default: Rule;
  readonly #exact = new Map<string, Rule | 'unlimited'>();
  readonly #wildcards: { like: Glob; rule: Rule | 'unlimited' }[] = [];
  readonly #match: readonly { fact: Fact; globs: readonly Glob[] }[];

  /** Throws a `ZodError` that names every fault of `input`. */
  constructor(input: PolicyInput) {
    const settings = policySchema.parse(input);
    this.name = settings.name;
    this.by = settings.by;
    this.isShadow = settings.shadow;
    this.away = settings.away;
    this.#default = ruleOf(this, settings, settings);
    for (const override of settings.overrides) {
      const rule =
        override.limit === 'unlimited'
          ? override.limit
          : ruleOf(this, settings, { ...override, limit: override.limit });
      if (override.key.includes('*')) this.#wildcards.push({ like: glob(override.key), rule });
      else this.#exact.set(override.key, rule);
    }
    this.#wildcards.sort((one, other) => other.like.letters - one.like.letters);
    this.#match = Object.entries(settings.match).map(([fact, globs]) => ({
      fact: fact as Fact,
      globs: globs.map(glob),
    }));
  }

  get isConcurrent(): boolean {
    return this.#default.algorithm === 'concurrency';
  }

  /** The override named exactly so, else the wildcard that says most, else the default; `undefined`: no limit at all. */
  /** The default, and those of overrides. */
  get rules(): readonly Rule[] {
    const overrides = [...this.#exact.values(), ...this.#wildcards.map(({ rule }) => rule)];
    return [this.#default, ...overrides.filter((rule) => rule !== 'unlimited')];
  }

  ruleFor(subject: string): Rule | undefined {
    if (this.#exact.size === 0 && this.#wildcards.length === 0) return this.#default;
    const found =
      this.#exact.get(subject) ??
      this.#wildcards.find(({ like }) => like.fits(subject))?.rule ??
      this.#default;
    return found === 'unlimited' ? undefined : found;
  }

  /** Whether this policy is for a request of which these facts are known. */
  matches(facts: { readonly [F in Fact]?: string | undefined }): boolean {
    return this.#match.every(({ fact, globs }) => {
      const value = facts[fact];
      return value !== undefined && globs.some((like) => like.fits(value));
    });
  }
}

function ruleOf(
  policy: Policy,
  settings: PolicySettings,
  { limit, burst }: { limit: number; burst?: number | undefined },
): Rule {
  const { algorithm } = settings;
  const periodMs = settings.period ?? null;
  const capacity = algorithm === 'gcra' && limit > 0 ? (burst ?? limit) : limit;
  const { kind, a, b } = countingOf(settings, limit);
  // An override may be far below the policy's own limit.
  const prepay = Math.min(settings.prepay, Math.floor(limit / 10));
  if (algorithm === 'gcra' && capacity * a > MAX_PARTS) {
    throw new TypeError(
      `policy '${policy.name}': ${limit} in ${periodMs} ms with a burst of ${capacity} cannot be counted exactly; choose a rounder limit`,
    );
  }
  return {
    policy,
    algorithm,
    limit,
    capacity,
    periodMs,
    leaseMs: algorithm === 'concurrency' ? a : null,
    text: `${kind} ${capacity} ${a} ${b} ${settings.block ?? 0} ${settings.shadow ? 1 : 0};`,
    shape: `${kind}${a}-${b}`,
    denials: new Denials(),
    prepaid: prepay > 0 ? new Prepaid(prepay) : undefined,
  };
}

/** The letter and the two numbers of `limit.lua`. */
function countingOf(
  { algorithm, period, lease }: PolicySettings,
  limit: number,
): { kind: string; a: number; b: number } {
  const periodMs = period ?? 0;
  switch (algorithm) {
    case 'fixed':
      return { kind: 'f', a: periodMs, b: 0 };
    case 'sliding':
      return { kind: 's', a: periodMs, b: Math.ceil(periodMs / SLICES) };
    case 'gcra': {
      // A unit is so many parts, and so many drain each millisecond; in lowest terms, so that the numbers stay small.
      const divisor = greatestCommonDivisor(periodMs, limit);
      return { kind: 'g', a: periodMs / divisor, b: Math.max(limit / divisor, 1) };
    }
    case 'concurrency':
      return { kind: 'c', a: lease ?? DEFAULT_LEASE_MS, b: 0 };
  }
}

function greatestCommonDivisor(one: number, other: number): number {
  return other === 0 ? one : greatestCommonDivisor(other, one % other);
}
