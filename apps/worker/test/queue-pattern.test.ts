import { expect, test } from 'vitest';
import { isQueuePattern, matchesQueue, servesQueue } from '../src/queue-pattern.ts';

test.for([
  ['emails', 'emails', true],
  ['emails', 'emails2', false],
  ['*', 'anything', true],
  ['report-*', 'report-daily', true],
  ['report-*', 'report-', true],
  ['report-*', 'report', false],
  ['*-mail', 'bulk-mail', true],
  ['*-mail', 'bulk-mails', false],
  ['a*b*c', 'a-b-c', true],
  ['a*b*c', 'abc', true],
  ['a*b*c', 'acb', false],
  ['ab*bc', 'abc', false],
  ['*a*a*', 'a', false],
  ['**', 'x', true],
  ['a.c', 'abc', false],
] as const)("'%s' and '%s': %s", ([pattern, queue, matches]) => {
  expect(matchesQueue(pattern, queue)).toBe(matches);
});

test.for([
  [['*', '!pull-*'], 'mail', true],
  [['*', '!pull-*'], 'pull-mail', false],
  [['!mail', 'mail'], 'mail', false],
  [['!mail'], 'other', false],
] as const)("%s, queue '%s': served %s", ([patterns, queue, isServed]) => {
  expect(servesQueue(patterns, queue)).toBe(isServed);
});

test('takes no time over a pattern made to take long', () => {
  const startedAt = performance.now();

  expect(matchesQueue(`${'*a'.repeat(31)}*`, `${'a'.repeat(30)}b`)).toBe(false);

  expect(performance.now() - startedAt).toBeLessThan(50);
});

test.for(['', 'a b', 'a,b', 'a:b', 'é', 'x'.repeat(65)])("refuses '%s' as a pattern", (text) => {
  expect(isQueuePattern(text)).toBe(false);
});
