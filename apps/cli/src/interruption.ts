/** This file owns being asked to stop: by Ctrl-C, by SIGTERM, and by a reader of our output who has gone. */
import { CommandFailure, EXIT_STATUS } from './failure.ts';

/** As shells tell of a program that ended by SIGPIPE: 128 + 13. */
const UNREAD_STATUS = 141;

/** Nobody reads any more (`sluice jobs list … | head -1`): leaves at once and without a word, as SIGPIPE would have it. */
export function leaveWhenUnread(stdout: NodeJS.WriteStream, stderr: NodeJS.WriteStream): void {
  stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
    process.exit(UNREAD_STATUS);
  });
  // Words for a person who has gone change nothing of what is done.
  stderr.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
  });
}

/**
 * Runs `work` with a signal that aborts at the first Ctrl-C or SIGTERM, so that it can end in order; the second ends the
 * process at once, as it does everywhere.
 */
export async function interruptible<T>(work: (interrupted: AbortSignal) => Promise<T>): Promise<T> {
  const interruption = new AbortController();
  const interrupt = () => interruption.abort();
  process.once('SIGINT', interrupt);
  process.once('SIGTERM', interrupt);
  try {
    return await work(interruption.signal);
  } finally {
    process.off('SIGINT', interrupt);
    process.off('SIGTERM', interrupt);
  }
}

/** What a command says that was asked to stop. */
export function interrupted(message: string): CommandFailure {
  return new CommandFailure(message, EXIT_STATUS.interrupted);
}
