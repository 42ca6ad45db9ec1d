/** This file owns what becomes of a command that fails: a sentence and an exit status. */
import { ConfigError } from '@sluice/config';
import { redisFault } from '@sluice/redis';
import { DomainError } from '@sluice/runtime';

/**
 * - 0 done
 * - 1 not done, for the reason told
 * - 2 asked for in a way that cannot be understood: arguments or environment
 */
export const EXIT_STATUS = { done: 0, failed: 1, misused: 2 } as const;

/** A failure that its sentence explains; no stack is shown. */
export class CommandFailure extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'CommandFailure';
  }
}

/** What went wrong, for a person; a stack only for what nobody expected. */
export function sentenceOf(error: unknown): string {
  const isExplained =
    error instanceof CommandFailure || error instanceof ConfigError || error instanceof DomainError;
  if (isExplained) return error.message;
  const fault = redisFault(error);
  if (fault) return `Redis did not do it (${fault.kind}): ${(error as Error).message}`;
  return error instanceof Error ? String(error.stack) : String(error);
}

export function statusOf(error: unknown): number {
  return error instanceof ConfigError ? EXIT_STATUS.misused : EXIT_STATUS.failed;
}
