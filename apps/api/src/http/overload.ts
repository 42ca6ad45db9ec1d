/** This file owns what a full server says. */
import type { ErrorCode } from '@sluice/contract';
import { DomainError } from '@sluice/runtime';

/** One for all: an error knows where it was made, and finding that out costs more than the answer. */
export const OVERLOADED = new DomainError<ErrorCode>(
  'overloaded',
  'This server has as many requests as it can work on. Nothing was done; try again.',
  { details: { outcome: 'not_attempted' } },
);
