import { DomainError } from '@sluice/runtime';
import { expect, test } from 'vitest';
import { ABORT_CODES, bullError, decide, decideThrown } from '../src/decision.ts';
import { fatal, postpone, readFailure, retryAfter, writeFailure } from '../src/failure.ts';
import { FAILURE_CODES } from '../src/schemas.ts';

test.for([
  ['timeout', 'retry'],
  ['error', 'retry'],
  ['cancelled', 'fail'],
  ['expired', 'fail'],
  ['fatal', 'fail'],
  ['invalid_payload', 'fail'],
  ['invalid_result', 'fail'],
  ['result_too_large', 'fail'],
  ['unknown_job', 'fail'],
  ['max_deliveries', 'fail'],
  ['shutdown', 'return'],
  ['lock_lost', 'lost'],
] as const)('decides for %s to %s', ([code, kind]) => {
  expect(decide(code, 'why').kind).toBe(kind);
});

test('decides for every code there is', () => {
  for (const code of [...ABORT_CODES, ...FAILURE_CODES])
    expect(decide(code, 'why').kind).toBeTypeOf('string');
});

test('tries again after what a processor throws, with its words', () => {
  const error = new Error('no paper');

  expect(decideThrown(error)).toEqual({
    kind: 'retry',
    failure: { code: 'error', message: 'no paper' },
    error,
  });
});

test.for([
  ['a text', 'no paper', 'the processor threw no paper'],
  ['null', null, 'the processor threw a value of type object'],
  ['nothing', undefined, 'the processor threw a value of type undefined'],
  ['an error without words', new RangeError(), 'RangeError'],
] as const)('finds words for %s', ([, thrown, message]) => {
  expect(decideThrown(thrown)).toMatchObject({ kind: 'retry', failure: { code: 'error', message } });
});

test('ends the job for a fatal error, also one of another copy of this package', () => {
  const foreign = Object.assign(new Error('closed'), { name: 'DomainError', code: 'fatal' });

  expect(decideThrown(fatal('closed'))).toMatchObject({
    kind: 'fail',
    failure: { code: 'fatal', message: 'closed' },
  });
  expect(decideThrown(foreign)).toMatchObject({ kind: 'fail', failure: { code: 'fatal' } });
});

test.for([
  [1_500.4, 1_500],
  [-5, 0],
  [Number.NaN, 0],
  [Number.POSITIVE_INFINITY, 0],
  [1e15, 365 * 86_400_000],
])('waits for %s ms as %i ms', ([asked, delayMs]) => {
  expect(decideThrown(retryAfter(asked as number, 'busy'))).toMatchObject({
    kind: 'delay',
    delayMs,
    failure: { code: 'error', message: 'busy' },
  });
});

test('does not take an error of another domain for one of its own', () => {
  expect(decideThrown(new DomainError('cancelled', 'the order was cancelled')).kind).toBe('retry');
  expect(decideThrown(new DomainError('shutdown', 'the shop is closed')).kind).toBe('retry');
  expect(decideThrown(Object.assign(new Error('x'), { code: 'fatal' })).kind).toBe('retry');
});

test('bounds what is kept of an error', () => {
  const decision = decideThrown(new Error('x'.repeat(10_000)));
  if (!('failure' in decision)) throw new TypeError('not a failure');

  const kept = bullError(decision);

  expect(kept.message.length).toBeLessThanOrEqual(2_002);
  expect(kept.stack?.length).toBeLessThanOrEqual(4_001);
});

test('reads back every failure it writes', () => {
  for (const code of FAILURE_CODES) {
    expect(readFailure(writeFailure({ code, message: 'because: of this' }))).toEqual({
      code,
      message: 'because: of this',
    });
  }
});

test.for([
  '',
  'boom',
  'ENOENT: no such file',
  ': ',
  'constructor: x',
  'job stalled more than allowable limit',
])("takes '%s', which another worker left, for an ordinary error", (failedReason) => {
  expect(readFailure(failedReason)).toEqual({ code: 'error', message: failedReason });
});

test('postpones what did not begin, and takes the number of attempts from whoever has the schedule', () => {
  expect(decideThrown(postpone(250, 'no place'))).toEqual({
    kind: 'postpone',
    delayMs: 250,
    reason: 'no place',
  });
  expect(decideThrown(retryAfter(10, 'down', { maxAttempts: 7 }))).toMatchObject({
    kind: 'delay',
    delayMs: 10,
    maxAttempts: 7,
  });
  expect(decideThrown(retryAfter(10, 'down'))).not.toHaveProperty('maxAttempts');
});

test('ends a job that turns out to be known to nobody', () => {
  expect(decideThrown(new DomainError('unknown_job', 'who?'))).toMatchObject({
    kind: 'fail',
    failure: { code: 'unknown_job', message: 'who?' },
  });
});
