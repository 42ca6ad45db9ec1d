/** This file owns BullMQ's refusals: its scripts answer with a number instead of doing what they were asked. */

/** What a script of BullMQ's answered instead of doing it: one of its `ErrorCode`. `undefined` for any other error. */
export function bullCode(error: unknown): number | undefined {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return typeof code === 'number' ? code : undefined;
}
