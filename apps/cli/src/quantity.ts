/** This file owns numbers and times among the arguments. */
import { parseDuration } from '@sluice/runtime';
import { InvalidArgumentError } from 'commander';

/** Reads a whole number within bounds, both included. */
export function wholeNumber(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
    if (value >= min && value <= max) return value;
    throw new InvalidArgumentError(`wanted a whole number from ${min} to ${max}`);
  };
}

/** `250ms`, `30s`, `15m`, `2h`, `7d`, in milliseconds. */
export function duration(text: string): number {
  const durationMs = parseDuration(text);
  if (durationMs !== undefined) return durationMs;
  throw new InvalidArgumentError('wanted a length of time such as 250ms, 30s, 15m, 2h or 7d');
}

/** An instant with its time zone as ISO 8601, `2027-01-31T08:00:00Z`; a day alone is its midnight in UTC. */
export function instantArgument(text: string): string {
  const at = /^\d{4}-\d{2}-\d{2}(T[\d:.]+(Z|[+-]\d{2}:\d{2}))?$/.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(at)) throw new InvalidArgumentError('wanted an instant such as 2027-01-31T08:00:00Z');
  return new Date(at).toISOString();
}
