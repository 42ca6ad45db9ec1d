import { expect, test } from 'vitest';
import { FailedAttempts, MAX_ADDRESSES, MAX_FAILURES, WINDOW_MS } from '../../src/admin/attempts.ts';

function setup() {
  const clock = { time: 0, now: () => 0, monotonicMs: () => clock.time };
  const attempts = new FailedAttempts(clock);
  const fail = (address: string, times = MAX_FAILURES) => {
    for (let count = 0; count < times; count += 1) attempts.add(address);
  };
  return { attempts, clock, fail };
}

test('closes to an address after too many failures, and opens when its window has passed', () => {
  const { attempts, clock, fail } = setup();
  fail('192.0.2.1', MAX_FAILURES - 1);
  expect(attempts.waitMs('192.0.2.1')).toBe(0);

  clock.time = 1_000;
  fail('192.0.2.1', 1);

  expect(attempts.waitMs('192.0.2.1')).toBe(WINDOW_MS - 1_000);
  expect(attempts.waitMs('192.0.2.2')).toBe(0);
  clock.time = WINDOW_MS;
  expect(attempts.waitMs('192.0.2.1')).toBe(0);
});

test.each([
  ['192.0.2.1', '::ffff:192.0.2.1'],
  ['2001:db8:1:2::1', '2001:db8:1:2:ffff:ffff:ffff:ffff'],
  ['2001:db8::1', '2001:DB8:0:0:5::'],
  ['fe80::1%eth0', 'fe80::2%eth0'],
  ['unknown', 'unknown'],
])('counts %s and %s as one', (one, other) => {
  const { attempts, fail } = setup();

  fail(one);

  expect(attempts.waitMs(other)).toBe(WINDOW_MS);
});

test.each([
  ['2001:db8:1:2::1', '2001:db8:1:3::1'],
  ['::1', '::ffff:0.0.0.1'],
])('counts %s and %s apart', (one, other) => {
  const { attempts, fail } = setup();

  fail(one);

  expect(attempts.waitMs(other)).toBe(0);
});

test('counts everybody else together when it remembers as many addresses as it may', () => {
  const { attempts, clock, fail } = setup();
  for (let index = 0; index < MAX_ADDRESSES; index += 1)
    fail(`10.${index >> 16}.${(index >> 8) & 255}.${index & 255}`, 1);

  fail('192.0.2.1');

  expect(attempts.waitMs('192.0.2.2')).toBe(WINDOW_MS);
  expect(attempts.waitMs('10.0.0.1')).toBe(0);
  clock.time = WINDOW_MS;
  expect(attempts.waitMs('192.0.2.2')).toBe(0);
});
