import { expect, it } from 'vitest';
import { about, type Setup } from './setup.ts';

export function keysSuite(setup: Setup): void {
  it('deletes one, many, and says which were there', async (t) => {
    const { cache } = await setup(t);
    await cache.setMany(['a', 'b', 'c'].map((key) => ({ key, value: 1 })));

    expect(await cache.delete('a')).toBe(true);
    expect(await cache.delete('a')).toBe(false);
    expect(await cache.deleteMany(['a', 'b', 'none', 'c'])).toEqual([false, true, false, true]);
    expect(await cache.deleteMany([])).toEqual([]);
    expect((await cache.list()).keys).toEqual([]);
  });

  it('lets one of many take an entry', async (t) => {
    const { open } = await setup(t);
    const caches = [open('books'), open('books')];
    await caches[0]?.set('k', 'once');

    const taken = await Promise.all(Array.from({ length: 20 }, (_, at) => caches[at % 2]?.take('k')));

    expect(taken.filter((entry) => entry !== undefined).map((entry) => entry?.value)).toEqual(['once']);
  });

  it('reads and sets the TTL in one step', async (t) => {
    const { cache } = await setup(t);
    await cache.set('k', 'v', { ttl: 10 });

    expect((await cache.touch('k', 500))?.text).toBe('"v"');
    expect(await cache.getTimed('k')).toMatchObject({ ttlSeconds: about(500) });
    await cache.touch('k', 'forever');
    expect(await cache.getTimed('k')).toMatchObject({ ttlSeconds: null });
    expect(await cache.touch('none', 5)).toBeUndefined();
    await expect(cache.touch('k', 0)).rejects.toMatchObject({ code: 'ttl_invalid' });
  });

  it('tells the seconds left of many', async (t) => {
    const { cache } = await setup(t);
    await cache.set('a', 1, { ttl: 50 });
    await cache.set('b', 1, { ttl: 'forever' });

    expect(await cache.ttls(['b', 'none', 'a'])).toEqual([null, undefined, about(50)]);
  });

  it('reads many in the order asked, the same key twice included', async (t) => {
    const { cache } = await setup(t);
    await cache.setMany([
      { key: 'a', value: 1 },
      { key: 'b', value: 2 },
    ]);

    const entries = await cache.getMany(['b', 'none', 'a', 'b']);

    expect(entries.map((entry) => entry?.value)).toEqual([2, undefined, 1, 2]);
    expect(await cache.getMany([])).toEqual([]);
  });

  it('lists every key once over pages of any size, also when keys come and go', async (t) => {
    const { cache } = await setup(t);
    const keys = Array.from({ length: 230 }, (_, at) => `user:${at}`);
    await cache.setMany(keys.map((key) => ({ key, value: 1 })));
    await cache.setMany(Array.from({ length: 70 }, (_, at) => ({ key: `other:${at}`, value: 1 })));

    for (const limit of [1, 7, 100, 1_000]) {
      const told: string[] = [];
      let cursor: string | undefined;
      do {
        const page = await cache.list({ prefix: 'user:', limit, cursor });
        expect(page.keys.length).toBeLessThanOrEqual(limit);
        told.push(...page.keys);
        cursor = page.next;
        await cache.set(`user:new:${limit}:${told.length}`, 1);
      } while (cursor !== undefined && told.length < 5_000);
      expect(new Set(told.filter((key) => !key.includes('new')))).toEqual(new Set(keys));
      await cache.flush({ prefix: 'user:new:' });
    }
  });

  it.for(['nonsense', 'W10', '!!', 'WyIiLCJ4IixbXV0'])('refuses the cursor %j', async (cursor, t) => {
    const { cache } = await setup(t);

    await expect(cache.list({ cursor })).rejects.toMatchObject({ code: 'cursor_invalid' });
  });

  it('flushes its own keys only, by prefix or all, and counts them', async (t) => {
    const { cache, open } = await setup(t);
    const neighbour = open('books2');
    await neighbour.set('kept', 1);
    await cache.setMany(['a:1', 'a:2', 'a*3', 'b:1'].map((key) => ({ key, value: 1 })));

    expect(await cache.flush({ isDryRun: true })).toBe(4);
    expect(await cache.flush({ prefix: 'a:', isDryRun: true })).toBe(2);
    expect(await cache.flush({ prefix: 'a:' })).toBe(2);
    expect((await cache.list()).keys).toEqual(['a*3', 'b:1']);
    expect(await cache.flush({ prefix: 'a*' })).toBe(1);
    expect(await cache.flush()).toBe(1);
    expect(await cache.flush()).toBe(0);

    expect(await neighbour.has('kept')).toBe(true);
  });
}
