/** This file owns the one error class of the house; what a code means in HTTP is decided in `@sluice/contract`. */

/** Facts that go with an error to the caller. Plain JSON, never a secret, a payload or a host name. */
export type ErrorDetails = Readonly<Record<string, unknown>>;

/**
 * An expected failure with a code from a closed list (each domain's `schemas.ts`).
 *
 * `message` is a sentence with the values in it and is safe to show to the caller; `details` are facts a program
 * may act on; `cause` stays in the log.
 */
export class DomainError<Code extends string = string> extends Error {
  readonly code: Code;
  readonly details: ErrorDetails | undefined;

  constructor(code: Code, message: string, options: { details?: ErrorDetails; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'DomainError';
    this.code = code;
    this.details = options.details;
  }
}
