/** This file owns what every driver must do for caches that several callers share: loads, leases, graces. */
import { setTimeout as delay } from 'node:timers/promises';
import { JsonText } from '@sluice/runtime';
import { describe, expect, it, vi } from 'vitest';
import { about, type Setup } from './setup.ts';

export function sharingSuite(driver: string, setup: Setup): void {
  describe(`a shared cache on ${driver}`, () => {
    it('loads once for all who ask at the same time, here and in another process', async (t) => {
      const { open } = await setup(t);
      const caches = [open('books'), open('books')];
      const load = vi.fn(async () => {
        await delay(50);
        return { at: 1 };
      });

      const entries = await Promise.all(
        Array.from({ length: 100 }, (_, at) => caches[at % 2]?.getOrLoad('k', load)),
      );

      expect(entries.map((entry) => entry?.value)).toEqual(entries.map(() => ({ at: 1 })));
      expect(load).toHaveBeenCalledTimes(1);
    });

    it('does not load what was filled between its look and its lease', async (t) => {
      const { open } = await setup(t);
      const [slow, quick] = [open('books'), open('books')];
      const load = vi.fn(() => 'loaded twice');
      vi.spyOn(slow, 'get').mockImplementationOnce(async () => {
        await quick.getOrLoad('k', () => 'loaded once');
        return undefined;
      });

      expect((await slow.getOrLoad('k', load))?.value).toBe('loaded once');
      expect(load).not.toHaveBeenCalled();
    });

    it('does not load what is there', async (t) => {
      const { cache } = await setup(t);
      await cache.set('k', null);
      const load = vi.fn();

      expect((await cache.getOrLoad('k', load))?.text).toBe('null');
      expect(load).not.toHaveBeenCalled();
    });

    it('keeps a loaded text byte for byte with its TTL', async (t) => {
      const { cache } = await setup(t);

      await cache.getOrLoad('k', () => new JsonText('{ "n" : 1.0 }'), { ttl: 60 });

      expect(await cache.getTimed('k')).toMatchObject({
        ttlSeconds: about(60),
        entry: { text: '{ "n" : 1.0 }' },
      });
    });

    it('throws what the load threw to all who waited for it, and loads again for the next', async (t) => {
      const { cache } = await setup(t);
      const failing = async () => {
        await delay(10);
        throw new Error('upstream down');
      };

      const outcomes = await Promise.allSettled([
        cache.getOrLoad('k', failing),
        cache.getOrLoad('k', failing),
      ]);

      expect(outcomes).toMatchObject([
        { status: 'rejected', reason: { message: 'upstream down' } },
        { status: 'rejected', reason: { message: 'upstream down' } },
      ]);
      expect((await cache.getOrLoad('k', () => 'up'))?.value).toBe('up');
    });

    it('remembers that there is nothing for as long as it was told', async (t) => {
      const { cache } = await setup(t);
      const load = vi.fn(() => undefined);

      expect(await cache.getOrLoad('k', load, { missingSeconds: 30 })).toBeUndefined();
      expect(await cache.getOrLoad('k', load, { missingSeconds: 30 })).toBeUndefined();
      expect(load).toHaveBeenCalledTimes(1);
      expect(await cache.has('k')).toBe(false);
      expect((await cache.list()).keys).toEqual([]);

      await cache.set('k', 'now there');
      expect((await cache.getOrLoad('k', load))?.value).toBe('now there');
      await cache.delete('k');
      await cache.getOrLoad('k', load);
      expect(load).toHaveBeenCalledTimes(2);
    });

    it('answers the stale value within its grace while one caller loads behind', async (t) => {
      const { cache, age } = await setup(t);
      await cache.set('k', 'old', { ttl: 10, graceSeconds: 100 });
      await age('k', 11);
      const load = vi.fn(() => 'new');

      const stale = await Promise.all([cache.getOrLoad('k', load), cache.getOrLoad('k', load)]);

      expect(stale).toMatchObject([
        { text: '"old"', isStale: true },
        { text: '"old"', isStale: true },
      ]);
      await expect.poll(() => cache.get('k')).toMatchObject({ text: '"new"', isStale: false });
      expect(load).toHaveBeenCalledTimes(1);
    });

    it('tells of a graced entry the seconds until it is stale, and is gone after its grace', async (t) => {
      const { cache, age } = await setup(t);
      await cache.set('k', 1, { ttl: 10, graceSeconds: 5 });

      expect(await cache.getTimed('k')).toMatchObject({ ttlSeconds: about(10), entry: { isStale: false } });
      await age('k', 12);
      expect(await cache.getTimed('k')).toMatchObject({ ttlSeconds: 0, entry: { isStale: true } });
      expect((await cache.getMany(['k']))[0]?.isStale).toBe(true);
      await age('k', 4);
      expect(await cache.get('k')).toBeUndefined();
    });

    it('does not load again at once after a failure while a stale value serves', async (t) => {
      const { open, age } = await setup(t);
      const failures: unknown[] = [];
      const cache = open('books', {
        onRefreshFailure: (error, key) => failures.push([(error as Error).message, key]),
      });
      await cache.set('k', 'old', { ttl: 10, graceSeconds: 100 });
      await age('k', 11);
      const load = vi.fn(() => {
        throw new Error('upstream down');
      });

      await cache.getOrLoad('k', load, { coolingMs: 60_000 });
      await expect.poll(() => failures).toEqual([['upstream down', 'k']]);
      for (let call = 0; call < 5; call += 1) {
        expect((await cache.getOrLoad('k', load, { coolingMs: 60_000 }))?.isStale).toBe(true);
      }

      await expect.poll(() => cache.stats.waits).toBeGreaterThanOrEqual(0);
      expect(load).toHaveBeenCalledTimes(1);
    });

    it('asks admission before each load and lets callers wait for it', async (t) => {
      const { cache } = await setup(t);
      const answers = [
        { isAllowed: false, retryAfterMs: 20 },
        { isAllowed: false, retryAfterMs: 20 },
        { isAllowed: true },
      ] as const;
      const admit = vi.fn(
        () => answers[Math.min(admit.mock.calls.length, 3) - 1] ?? { isAllowed: true as const },
      );
      const load = vi.fn(() => 'in');

      const entries = await Promise.all([
        cache.getOrLoad('k', load, { admit }),
        cache.getOrLoad('k', load, { admit }),
      ]);

      expect(entries.map((entry) => entry?.value)).toEqual(['in', 'in']);
      expect(admit).toHaveBeenCalledTimes(3);
      expect(load).toHaveBeenCalledTimes(1);
    });

    it('gives up waiting for another caller after the time it was given', async (t) => {
      const { cache } = await setup(t);
      await cache.leases.lend('k', { leaseMs: 60_000 });

      await expect(cache.getOrLoad('k', () => 1, { waitMs: 60 })).rejects.toMatchObject({
        code: 'load_timeout',
      });
    });

    it('aborts a load that takes too long and frees the lease', async (t) => {
      const { cache } = await setup(t);
      let isAborted = false;
      const endless = ({ signal }: { signal: AbortSignal }) =>
        new Promise(() => signal.addEventListener('abort', () => (isAborted = true)));

      await expect(cache.getOrLoad('k', endless, { loadTimeoutMs: 30 })).rejects.toMatchObject({
        code: 'load_timeout',
      });

      expect(isAborted).toBe(true);
      expect((await cache.getOrLoad('k', () => 2, { waitMs: 0 }))?.value).toBe(2);
    });

    it('ends loads that are under way when it is stopped, and gives their leases back', async (t) => {
      const { open } = await setup(t);
      const [stopped, other] = [open('books'), open('books')];
      const endless = vi.fn(() => new Promise(() => undefined));
      const waiting = stopped.getOrLoad('k', endless);
      await vi.waitFor(() => expect(endless).toHaveBeenCalled());

      await stopped.stop();

      await expect(waiting).rejects.toMatchObject({ code: 'load_timeout' });
      expect((await other.getOrLoad('k', () => 'loaded', { waitMs: 0 }))?.value).toBe('loaded');
    });

    it('lets a value written during a load stand, and stores nothing after a delete', async (t) => {
      const { cache } = await setup(t);

      const overtaken = await cache.getOrLoad('a', async () => {
        await cache.set('a', 'newer');
        return 'older';
      });
      await cache.getOrLoad('b', async () => {
        await cache.delete('b');
        return 'read before the delete';
      });
      await cache.getOrLoad('c', async () => {
        await cache.flush();
        return 'read before the flush';
      });

      expect(overtaken?.value).toBe('newer');
      expect((await cache.getMany(['b', 'c'])).map((entry) => entry?.value)).toEqual([undefined, undefined]);
    });

    it('lends to one caller, takes its fill only, and from no one after that', async (t) => {
      const { cache } = await setup(t);

      const first = await cache.leases.lend('k', { leaseMs: 60_000 });
      const second = await cache.leases.lend('k', { leaseMs: 60_000 });
      if (first.state !== 'granted') throw new Error(`the first caller got ${first.state}`);

      expect(second).toMatchObject({ state: 'held', entry: undefined });
      await expect(cache.leases.fill('k', 'forged', 1)).rejects.toMatchObject({ code: 'cache_lease_lost' });
      await cache.leases.fill('k', first.token, 'filled', { ttl: 60 });
      await expect(cache.leases.fill('k', first.token, 'again')).rejects.toMatchObject({
        code: 'cache_lease_lost',
      });
      expect(await cache.leases.lend('k', { leaseMs: 60_000 })).toMatchObject({
        state: 'hit',
        entry: { text: '"filled"' },
      });
      expect(await cache.getTimed('k')).toMatchObject({ ttlSeconds: about(60) });
    });

    it('waits for the fill of another, as long as it was told', async (t) => {
      const { cache } = await setup(t);
      const first = await cache.leases.lend('k', { leaseMs: 60_000 });
      if (first.state !== 'granted') throw new Error(`the first caller got ${first.state}`);

      const waiting = cache.leases.lend('k', { leaseMs: 60_000, waitMs: 5_000 });
      const impatient = await cache.leases.lend('k', { leaseMs: 60_000, waitMs: 60 });
      await cache.leases.fill('k', first.token, 'there');

      expect(impatient.state).toBe('held');
      expect(await waiting).toMatchObject({ state: 'hit', entry: { text: '"there"' } });
    });

    it('lends nobody a value that was filled while they asked', async (t) => {
      const { cache } = await setup(t);

      for (let round = 0; round < 20; round += 1) {
        const first = await cache.leases.lend(`k${round}`, { leaseMs: 60_000 });
        const token = first.state === 'granted' ? first.token : '';
        const [second] = await Promise.all([
          cache.leases.lend(`k${round}`, { leaseMs: 60_000 }),
          cache.leases.fill(`k${round}`, token, 'there'),
        ]);
        expect(['hit', 'held']).toContain(second.state);
      }
    });

    it('renews, gives back, and remembers what the holder found', async (t) => {
      const { cache } = await setup(t);
      const lend = async (key: string) => {
        const lending = await cache.leases.lend(key, { leaseMs: 60_000 });
        return lending.state === 'granted' ? lending.token : lending.state;
      };

      const token = await lend('k');
      await cache.leases.renew('k', token, 60_000);
      await cache.leases.giveBack('k', token);
      await expect(cache.leases.renew('k', token, 1)).rejects.toMatchObject({ code: 'cache_lease_lost' });
      const again = await lend('k');
      await cache.leases.giveBack('k', again, { word: 'cooling', forMs: 60_000 });
      expect(await lend('k')).toBe('cooling');

      const missing = await lend('m');
      await cache.leases.giveBack('m', missing, { word: 'missing', forMs: 60_000 });
      expect(await lend('m')).toBe('missing');
    });
  });
}
