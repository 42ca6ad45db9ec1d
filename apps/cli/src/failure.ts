/** This file owns what becomes of a command that fails: a sentence and an exit status. */
import { ConfigError } from '@sluice/config';
import { redisFault } from '@sluice/redis';
import { DomainError } from '@sluice/runtime';

/**
 * - 0 done
 * - 1 not done, for the reason told
 * - 2 asked for in a way that cannot be understood (arguments, environment), or of a server that cannot be reached
 * - 130 left at Ctrl-C, as shells tell it
 */
export const EXIT_STATUS = { done: 0, failed: 1, misused: 2, unreachable: 2, interrupted: 130 } as const;

/** A failure that its sentence explains; no stack is shown. */
export class CommandFailure extends Error {
  readonly status: number;

  constructor(message: string, status: number = EXIT_STATUS.failed) {
    super(message);
    this.name = 'CommandFailure';
    this.status = status;
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
  if (error instanceof CommandFailure) return error.status;
  return error instanceof ConfigError ? EXIT_STATUS.misused : EXIT_STATUS.failed;
}
