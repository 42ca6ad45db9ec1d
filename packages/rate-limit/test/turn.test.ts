import { expect, it } from 'vitest';
import { countScripts, setup } from './setup.ts';

const WRITES = { name: 'writes', algorithm: 'gcra', limit: 100, period: 'minute' } as const;

it('sends the decisions of one turn in one script', async (t) => {
  const { limiter, client } = await setup(t, [
    WRITES,
    { name: 'hourly', algorithm: 'sliding', limit: 5, period: 'hour' },
  ]);
  const scripts = countScripts(client);

  const decisions = await Promise.all([
    ...Array.from({ length: 40 }, (_, i) =>
      limiter.take({ policy: 'writes', key: `k${i}` }, { policy: 'hourly', key: 'all' }),
    ),
    limiter.peek({ policy: 'writes', key: 'k1' }),
    limiter.reset({ policy: 'writes', key: 'k2' }),
  ]);

  expect(scripts()).toBe(1);
  expect(decisions.filter((decision) => decision?.taken.length)).toHaveLength(5);
});

it('decides those of one turn one after the other', async (t) => {
  const { limiter } = await setup(t, [{ ...WRITES, limit: 3 }]);

  const decisions = await Promise.all(
    Array.from({ length: 5 }, () => limiter.take({ policy: 'writes', key: 'ada' })),
  );

  expect(decisions.map(({ isAllowed }) => isAllowed)).toEqual([true, true, true, false, false]);
  expect(decisions.map(({ quotas }) => quotas[0]?.remaining)).toEqual([2, 1, 0, 0, 0]);
});

it('bounds what one script has to do', async (t) => {
  const { limiter, client } = await setup(t, [WRITES]);
  const scripts = countScripts(client);

  const decisions = await Promise.all(
    Array.from({ length: 600 }, (_, i) => limiter.take({ policy: 'writes', key: `k${i}` })),
  );

  expect(scripts()).toBe(3);
  expect(decisions.every(({ isAllowed, quotas }) => isAllowed && quotas[0]?.remaining === 99)).toBe(true);
});

it('goes on when Redis has forgotten the script', async (t) => {
  const { limiter, client } = await setup(t, [{ ...WRITES, limit: 3 }]);
  await limiter.take({ policy: 'writes', key: 'ada' });
  await client.script('FLUSH');

  const decisions = await Promise.all(
    Array.from({ length: 3 }, () => limiter.take({ policy: 'writes', key: 'ada' })),
  );

  expect(decisions.map(({ isAllowed }) => isAllowed)).toEqual([true, true, false]);
  expect(decisions.every(({ quotas }) => quotas[0]?.decidedBy === 'redis')).toBe(true);
});

it('tells the caller of a fault that is no outage', async (t) => {
  const { limiter, client, allKeys } = await setup(t, [WRITES]);
  await limiter.take({ policy: 'writes', key: 'ada' });
  const [key = ''] = await allKeys();
  await client.set(key, 'not ours at all');

  await expect(limiter.take({ policy: 'writes', key: 'ada' })).rejects.toThrow();
  expect(limiter.isAway).toBe(false);
  expect((await limiter.take({ policy: 'writes', key: 'bob' })).isAllowed).toBe(true);
});
