/** This file owns what comes of asking: a value, or why there is none. */
import { type RedisFaultKind, redisFault } from '@sluice/redis';
import { DeadlineError, within } from '@sluice/runtime';
import { unknown, type Verdict } from './finding.ts';

export type Answer<T> = Told<T> | Untold;

export interface Told<T> {
  isTold: true;
  value: T;
}

export interface Untold {
  isTold: false;
  /** What was asked. */
  command: string;
  /** In the words of whoever refused. */
  reason: string;
  /** True: Redis refused it; false: no answer came. */
  isRefused: boolean;
  /** What kind of failure it is; `auth`: our user may not run it. */
  fault: RedisFaultKind | undefined;
}

/** Above the 1.5 s that the connection itself gives a command, so that its own words are told. */
const ANSWER_DEADLINE_MS = 2_000;
const MAX_REASON_CHARACTERS = 160;
const MAX_CAUSES = 8;

/** Never rejects, and settles within `ANSWER_DEADLINE_MS`. */
export async function ask<T>(command: string, work: () => Promise<T>): Promise<Answer<T>> {
  try {
    return { isTold: true, value: await within(work(), ANSWER_DEADLINE_MS) };
  } catch (error) {
    return untold(command, error);
  }
}

export function untold(command: string, error: unknown): Untold {
  return {
    isTold: false,
    command,
    reason: reasonOf(error),
    isRefused: (error as { name?: unknown } | undefined)?.name === 'ReplyError',
    fault: redisFault(error)?.kind,
  };
}

/** The innermost words of an error; Node says nothing but a code when several addresses of one name refused. */
export function reasonOf(error: unknown): string {
  let at = error;
  for (let depth = 0; depth < MAX_CAUSES; depth += 1) {
    const behind =
      at instanceof Error ? ((at as { lastNodeError?: unknown }).lastNodeError ?? at.cause) : undefined;
    if (!(behind instanceof Error)) break;
    at = behind;
  }
  if (at instanceof DeadlineError) return at.message;
  const { message, code } = at as { message?: unknown; code?: unknown };
  return String(message || code || at).slice(0, MAX_REASON_CHARACTERS);
}

/** Judges what was told; what was not told is unknown, with the command that would have told. */
export function judge<T>(answer: Answer<T>, told: (value: T) => Verdict): Verdict {
  if (answer.isTold) return told(answer.value);
  const { command, reason } = answer;
  return unknown(`${command}: ${reason}`);
}
