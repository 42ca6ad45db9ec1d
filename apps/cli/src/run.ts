/** This file owns what becomes of a command that fails: a sentence on standard error and an exit status. */
import { ConfigError } from '@sluice/config';
import { redisFault } from '@sluice/redis';
import { DomainError } from '@sluice/runtime';
import { type Command, CommanderError } from 'commander';

/**
 * - 0 done
 * - 1 not done, for the reason told
 * - 2 asked for in a way that cannot be understood: arguments or environment
 */
export const EXIT_STATUS = { done: 0, failed: 1, misused: 2 } as const;

/** A failure that its sentence explains; no stack is shown. `status` is `EXIT_STATUS.failed` unless given. */
export class CommandFailure extends Error {
  readonly status: number;

  constructor(message: string, status: number = EXIT_STATUS.failed) {
    super(message);
    this.name = 'CommandFailure';
    this.status = status;
  }
}

/** Answers the exit status. Commands that set `process.exitCode` themselves keep it. */
export async function runProgram(program: Command, argv: readonly string[]): Promise<number> {
  try {
    await program.parseAsync([...argv]);
    return Number(process.exitCode ?? EXIT_STATUS.done);
  } catch (error) {
    // commander has shown its own message; help and version come this way as well, with status 0.
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT_STATUS.done : EXIT_STATUS.misused;
    process.stderr.write(`${sentenceOf(error)}\n`);
    return statusOf(error);
  }
}

function sentenceOf(error: unknown): string {
  if (error instanceof CommandFailure || error instanceof ConfigError || error instanceof DomainError)
    return error.message;
  const fault = redisFault(error);
  if (fault) return `Redis did not do it (${fault.kind}): ${(error as Error).message}`;
  return error instanceof Error ? String(error.stack) : String(error);
}

function statusOf(error: unknown): number {
  if (error instanceof CommandFailure) return error.status;
  return error instanceof ConfigError ? EXIT_STATUS.misused : EXIT_STATUS.failed;
}
