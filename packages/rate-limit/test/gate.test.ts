import { describe, expect, it } from 'vitest';
import { asksFor, enter, Policy, refusalOf } from '../src/index.ts';
import { setup } from './setup.ts';

describe('the asks for a request', () => {
  const policies = [
    new Policy({ name: 'by-name', limit: 1, period: 'minute' }),
    new Policy({ name: 'all', limit: 1, period: 'minute', by: [] }),
    new Policy({ name: 'per-key', limit: 1, period: 'minute', by: ['key'] }),
    new Policy({ name: 'per-user-and-route', limit: 1, period: 'minute', by: ['user', 'route'] }),
    new Policy({
      name: 'mail',
      limit: 1,
      period: 'minute',
      by: ['address'],
      match: { queue: ['mail-*', 'sms'], route: ['POST *'] },
    }),
  ];
  const namesFor = (facts: Parameters<typeof asksFor>[1]) =>
    asksFor(policies, facts).map(({ policy }) => policy);

  it('are of the policies whose facts are known', () => {
    expect(asksFor(policies, { key: 'k_1', user: 'ada', route: 'GET /x' }, 2)).toEqual([
      { policy: 'all', key: '*', cost: 2 },
      { policy: 'per-key', key: ['k_1'], cost: 2 },
      { policy: 'per-user-and-route', key: ['ada', 'GET /x'], cost: 2 },
    ]);
    expect(namesFor({})).toEqual(['all']);
  });

  it('hold one lease, whatever the request costs', () => {
    const atOnce = new Policy({ name: 'at-once', algorithm: 'concurrency', limit: 1, by: [] });

    expect(asksFor([atOnce], {}, 5)).toEqual([{ policy: 'at-once', key: '*', cost: 1 }]);
  });

  it('leave out policies that are for other requests', () => {
    const facts = { address: '203.0.113.7', route: 'POST /queues/mail-out/jobs' };

    expect(namesFor({ ...facts, queue: 'mail-out' })).toEqual(['all', 'mail']);
    expect(namesFor({ ...facts, queue: 'sms' })).toEqual(['all', 'mail']);
    expect(namesFor({ ...facts, queue: 'sms2' })).toEqual(['all']);
    expect(namesFor({ ...facts, queue: 'mail-out', route: 'GET /queues' })).toEqual(['all']);
    expect(namesFor(facts)).toEqual(['all']);
  });
});

describe('enter', () => {
  const POLICIES = [
    { name: 'per-key', algorithm: 'fixed', limit: 2, period: 'minute', by: ['key'] },
    { name: 'at-once', algorithm: 'concurrency', limit: 1, by: ['key'] },
  ] as const;

  it('charges a request once, and gives up its lease when it leaves', async (t) => {
    const { limiter } = await setup(
      t,
      POLICIES.map((policy) => ({ ...policy, by: [...policy.by] })),
    );

    const first = await enter(limiter, { key: 'k_1' });
    const beside = await enter(limiter, { key: 'k_1' });
    await first.leave?.();
    const second = await enter(limiter, { key: 'k_1' });
    await second.leave?.();
    const third = await enter(limiter, { key: 'k_1' });

    expect([first, beside, second, third].map(({ decision }) => decision.isAllowed)).toEqual([
      true,
      false,
      true,
      false,
    ]);
    expect(first.headers.RateLimit).toBe('"per-key";r=1;t=60, "at-once";r=0;t=30');
    expect(beside.headers.RateLimit).toBe('"at-once";r=0;t=30');
    expect(third.headers['Retry-After']).toBe('60');
  });

  it('has an error for a refusal', async (t) => {
    const { limiter } = await setup(t, [
      { name: 'none', algorithm: 'fixed', limit: 0, period: 'minute', by: [] },
    ]);

    const { decision } = await enter(limiter, {});

    expect(refusalOf(decision)).toMatchObject({
      code: 'rate_limited',
      message: 'Over the limit of none. This cost is above the limit.',
      details: { policies: ['none'], retry_after_ms: null },
    });
  });
});
