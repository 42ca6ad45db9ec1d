/** This file owns the language of `limit.lua`: a turn's steps written as its arguments, its reply read back. */
import type { ScriptInput } from '@sluice/redis';
import type { Subject } from './keys.ts';
import type { Rule } from './policy.ts';

export const STEP_LETTERS = {
  take: 't',
  peek: 'p',
  refund: 'g',
  penalize: 'n',
  block: 'b',
  reset: 'x',
  renew: 'w',
} as const;
export type StepKind = keyof typeof STEP_LETTERS;

/** One policy asked about one subject. */
export interface Check {
  readonly rule: Rule;
  readonly subject: Subject;
  /** The Redis key. */
  readonly state: string;
  readonly cost: number;
  /** Lease id, units ahead, milliseconds or `-`, as the step wants it. */
  readonly extra: string;
}

export interface Step {
  readonly kind: StepKind;
  /** Passed all together or not at all. */
  readonly checks: readonly Check[];
}

/** What the script tells of a check, in milliseconds; `limit.lua` says what each means. */
export interface Figures {
  readonly remaining: number;
  readonly retry: number;
  readonly next: number;
  readonly reset: number;
  /** Of a take: the units ahead were charged as well. */
  readonly hasAhead?: boolean;
}

export interface Answer {
  /** Redis' time, since the epoch. */
  readonly nowMs: number;
  /** In the order of the checks. */
  readonly figures: readonly Figures[];
}

/** `nowMs` is for tests; without it Redis looks at its own clock. */
export function writeSteps(
  steps: readonly Step[],
  nowMs?: number,
): ScriptInput<never, 'now_ms' | 'rules' | 'steps'> {
  const states = new Map<string, number>();
  const numbers = new Map<Rule, number>();
  let rules = '';
  let text = '';
  for (const { kind, checks } of steps) {
    let letter: string = STEP_LETTERS[kind];
    for (const { rule, state, cost, extra } of checks) {
      let number = numbers.get(rule);
      if (number === undefined) {
        number = numbers.size + 1;
        numbers.set(rule, number);
        rules += rule.text;
      }
      const place = states.get(state) ?? '';
      if (place === '') states.set(state, states.size + 1);
      text += `${letter}${number} ${place} ${cost} ${extra} `;
      letter = '+';
    }
  }
  return { keys: {}, moreKeys: [...states.keys()], args: { now_ms: nowMs ?? '', rules, steps: text } };
}

/** The `retry` of `limit.lua` when it fits, and so did the units ahead. */
const AHEAD_TOO = -2;

/** One answer a step. */
export function readAnswers(steps: readonly Step[], reply: unknown): Answer[] {
  const numbers = reply as number[];
  const nowMs = numbers[0] as number;
  let at = 1;
  return steps.map(({ checks }) => {
    const figures = checks.map(() => {
      const retry = numbers[at + 1] as number;
      const told = {
        remaining: numbers[at] as number,
        retry: retry === AHEAD_TOO ? 0 : retry,
        next: numbers[at + 2] as number,
        reset: numbers[at + 3] as number,
        hasAhead: retry === AHEAD_TOO,
      };
      at += 4;
      return told;
    });
    return { nowMs, figures };
  });
}
