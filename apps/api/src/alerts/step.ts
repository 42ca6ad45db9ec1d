/**
 * This file owns how an alert goes on, one subject at a time:
 *
 *   nothing -> pending -(bad for forSeconds)-> firing -(good)-> quiet -(quiet time over)-> nothing
 *                 └─(good)─> nothing              ^                └──(bad)──┘ told once the quiet time is over
 *
 * A receiver is told once that it fires, again in each quiet time while it does, and that it is over if he was told of it.
 */
import type { Alert, AlertState } from '@sluice/system';

export type Message = 'firing' | 'reminder' | 'resolved';

export interface Step {
  /** `undefined`: there is nothing to remember. */
  next: AlertState | undefined;
  message: Message | undefined;
}

interface Situation {
  before: AlertState | undefined;
  finding: { value: number; isBad: boolean };
  nowMs: number;
}

export function step(
  alert: Pick<Alert, 'for_seconds' | 'quiet_seconds'>,
  { before, finding: { value, isBad }, nowMs }: Situation,
): Step {
  const isQuiet = before?.toldAtMs != null && nowMs - before.toldAtMs < alert.quiet_seconds * 1_000;
  if (!isBad) return over(before, value, isQuiet);
  const state: AlertState = before
    ? { ...before, value }
    : { phase: 'pending', sinceMs: nowMs, value, told: null, toldAtMs: null, messages: 0 };
  // What comes back in its quiet time has waited before.
  const isRipe = state.phase !== 'pending' || nowMs - state.sinceMs >= alert.for_seconds * 1_000;
  if (!isRipe) return { next: state, message: undefined };
  const firing: AlertState = { ...state, phase: 'firing' };
  if (isQuiet) return { next: firing, message: undefined };
  return { next: firing, message: firing.told === 'firing' ? 'reminder' : 'firing' };
}

function over(before: AlertState | undefined, value: number, isQuiet: boolean): Step {
  if (!before || before.phase === 'pending') return { next: undefined, message: undefined };
  const next: AlertState = { ...before, phase: 'quiet', value };
  if (before.told === 'firing') return { next, message: 'resolved' };
  return { next: isQuiet ? next : undefined, message: undefined };
}

/** After a message has gone out. A resolved one begins no quiet time: that of the alert goes on. */
export function toldOf(state: AlertState, message: Message, nowMs: number): AlertState {
  const told = message === 'resolved' ? 'resolved' : 'firing';
  const toldAtMs = message === 'resolved' ? state.toldAtMs : nowMs;
  return { ...state, told, toldAtMs, messages: state.messages + 1 };
}
