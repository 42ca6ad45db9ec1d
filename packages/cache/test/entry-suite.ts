import { JsonText } from '@sluice/runtime';
import { describe, expect, it } from 'vitest';
import { about, type Setup } from './setup.ts';

export function entrySuite(driver: string, setup: Setup): void {
  describe(`entries of a cache on ${driver}`, () => {
    it('voids every entry of a purged tag, and only those', async (t) => {
      const { cache } = await setup(t);
      await cache.setMany([
        { key: 'a', value: 1, tags: ['user:1', 'list'], ttl: 60 },
        { key: 'b', value: 2, tags: ['user:2', 'list'], ttl: 60, graceSeconds: 60 },
        { key: 'c', value: 3 },
      ]);
      expect((await cache.getMany(['a', 'b', 'c'])).map((entry) => entry?.value)).toEqual([1, 2, 3]);

      expect(await cache.purgeTags(['user:1'])).toBe(1);
      expect((await cache.getMany(['a', 'b', 'c'])).map((entry) => entry?.value)).toEqual([undefined, 2, 3]);
      expect([await cache.has('a'), await cache.has('b')]).toEqual([false, true]);
      expect(await cache.purgeTags(['list', 'unknown'])).toBe(1);
      expect(await cache.get('b')).toBeUndefined();
      expect(await cache.take('b')).toBeUndefined();

      await cache.set('a', 4, { tags: ['user:1'], ttl: 60 });
      expect((await cache.get('a'))?.value).toBe(4);
    });

    it('stores over an entry whose tag was purged as over nothing', async (t) => {
      const { cache } = await setup(t);
      await cache.set('k', 1, { tags: ['t'], ttl: 60 });
      await cache.purgeTags(['t']);

      await cache.set('k', 2, { when: 'absent', tags: ['t'], ttl: 60 });
      await cache.purgeTags(['t']);
      await cache.addAll([{ key: 'k', value: 3, tags: ['t'], ttl: 60 }]);
      const values = [(await cache.get('k'))?.value];
      await cache.purgeTags(['t']);
      await cache.setMany([
        { key: 'k', value: 4, when: 'absent' },
        { key: 'l', value: 5 },
      ]);
      values.push((await cache.get('k'))?.value);

      expect(values).toEqual([3, 4]);
      await expect(cache.set('k', 6, { when: 'absent' })).rejects.toMatchObject({ code: 'key_exists' });
    });

    it('voids what was loaded before a purge and stored after it', async (t) => {
      const { cache } = await setup(t);

      const loaded = await cache.getOrLoad(
        'k',
        async () => {
          await cache.purgeTags(['t']);
          return 'read before the purge';
        },
        { tags: ['t'], ttl: 60 },
      );
      const lending = await cache.leases.lend('l', { leaseMs: 60_000, tags: ['t'] });
      await cache.purgeTags(['t']);
      const token = lending.state === 'granted' ? lending.token : '';

      expect(loaded?.value).toBe('read before the purge');
      expect(await cache.get('k')).toBeUndefined();
      await expect(cache.leases.fill('l', token, 1, { tags: ['t'], ttl: 60 })).rejects.toMatchObject({
        code: 'cache_lease_lost',
      });
    });

    it.for([
      [['x'.repeat(257)], 'tag_invalid'],
      [[''], 'tag_invalid'],
      [Array.from({ length: 33 }, (_, at) => `t${at}`), 'tag_invalid'],
    ] as const)('refuses the tags %j', async ([tags, code], t) => {
      const { cache } = await setup(t);

      await expect(cache.set('k', 1, { tags, ttl: 60 })).rejects.toMatchObject({ code });
    });

    it('wants a TTL that ends for an entry with tags', async (t) => {
      const { cache } = await setup(t);

      await expect(cache.set('k', 1, { tags: ['t'], ttl: 'forever' })).rejects.toMatchObject({
        code: 'ttl_invalid',
      });
      await expect(cache.set('k', 1, { tags: ['t'], ttl: 'keep' })).rejects.toMatchObject({
        code: 'ttl_invalid',
      });
    });

    it('keeps tags and grace through a touch', async (t) => {
      const { cache, age } = await setup(t);
      await cache.set('k', 1, { tags: ['t'], ttl: 10, graceSeconds: 20 });

      expect((await cache.touch('k', 100))?.value).toBe(1);

      expect(await cache.getTimed('k')).toMatchObject({ ttlSeconds: about(100) });
      await age('k', 110);
      expect(await cache.get('k')).toMatchObject({ isStale: true, tags: ['t'] });
      await cache.purgeTags(['t']);
      expect(await cache.get('k')).toBeUndefined();
    });

    it('deflates long texts and answers them as they were', async (t) => {
      const { cache, open } = await setup(t, { deflateOverBytes: 1_000 });
      const long = new JsonText(`{ "text" : "${'abc😀'.repeat(1_000)}" }`);
      await cache.set('long', long);
      await cache.set('tagged', long, { tags: ['t'], ttl: 60 });
      await cache.set('short', 'abc');

      const entries = await open('books', {}).getMany(['long', 'tagged', 'short']);

      expect(entries.map((entry) => entry?.text)).toEqual([long.text, long.text, '"abc"']);
      expect(entries[0]?.sizeBytes).toBeLessThan(long.text.length * 1.1);
    });

    it('counts by steps within bounds and sets the TTL when it begins', async (t) => {
      const { cache, age } = await setup(t);

      expect(await cache.increment('n', { ttl: 60 })).toEqual({
        value: 1,
        applied: 1,
        ttlMs: expect.any(Number),
      });
      await age('n', 20);
      expect(await cache.increment('n', { by: 5, max: 6, ttl: 60 })).toMatchObject({ value: 6, applied: 5 });
      expect(await cache.increment('n', { by: 1, max: 6 })).toMatchObject({ value: 6, applied: 0 });
      expect(await cache.increment('n', { by: -7, min: 0 })).toMatchObject({ value: 6, applied: 0 });
      expect(await cache.increment('n', { by: -6 })).toMatchObject({ value: 0, applied: -6 });
      expect(await cache.getTimed('n')).toMatchObject({ ttlSeconds: about(40), entry: { text: '0' } });
      expect(await cache.increment('forever', { ttl: 'forever' })).toEqual({
        value: 1,
        applied: 1,
        ttlMs: null,
      });
    });

    it('counts every step of many callers', async (t) => {
      const { open } = await setup(t);
      const caches = [open('books'), open('books')];

      await Promise.all(Array.from({ length: 100 }, (_, at) => caches[at % 2]?.increment('n')));

      expect((await caches[0]?.get('n'))?.value).toBe(100);
    });

    it.for(['1.5', '"1"', 'null', '[]', '1e3', '99999999999999999', ' 1'])(
      'does not count on %s',
      async (text, t) => {
        const { cache } = await setup(t);
        await cache.set('n', new JsonText(text));

        await expect(cache.increment('n')).rejects.toMatchObject({ code: 'not_an_integer' });
        expect((await cache.get('n'))?.text).toBe(text);
      },
    );

    it('stops counting where numbers stop being exact', async (t) => {
      const { cache } = await setup(t);
      await cache.set('n', Number.MAX_SAFE_INTEGER);

      expect(await cache.increment('n')).toMatchObject({ value: Number.MAX_SAFE_INTEGER, applied: 0 });
      expect(await cache.increment('n', { by: -1 })).toMatchObject({ value: Number.MAX_SAFE_INTEGER - 1 });
    });

    it('patches a part and leaves the rest as it was written', async (t) => {
      const { cache } = await setup(t);
      await cache.set('k', new JsonText('{"big":12345678901234567890,"gone":1,"deep":{"a":1.0,"b":2}}'), {
        ttl: 100,
      });

      await cache.patch('k', { merge: new JsonText('{"gone":null,"deep":{"b":[3]},"new":"x"}') });

      expect(await cache.getTimed('k')).toMatchObject({
        ttlSeconds: about(100),
        entry: { text: '{"big":12345678901234567890,"deep":{"a":1.0,"b":[3]},"new":"x"}' },
      });
      await cache.patch('k', { tags: ['t'], ttl: 50 });
      expect(await cache.getTimed('k')).toMatchObject({ ttlSeconds: about(50), entry: { tags: ['t'] } });
      await expect(cache.patch('k', { ttl: 5 }, { ifMatch: ['other'] })).rejects.toMatchObject({
        code: 'etag_mismatch',
      });
      await expect(cache.patch('none', { ttl: 5 })).rejects.toMatchObject({ code: 'key_not_found' });
    });

    it('loses no patch of many callers, or says so', async (t) => {
      const { open } = await setup(t);
      const caches = [open('books'), open('books')];
      await caches[0]?.set('k', {});

      const outcomes = await Promise.allSettled(
        Array.from({ length: 8 }, (_, at) =>
          caches[at % 2]?.patch('k', { merge: new JsonText(`{"m${at}":1}`) }),
        ),
      );

      const done = outcomes.flatMap(({ status }, at) => (status === 'fulfilled' ? [`m${at}`] : []));
      expect(Object.keys((await caches[0]?.get('k'))?.value as object).sort()).toEqual(done.sort());
    });

    it('counts what happened', async (t) => {
      const { cache } = await setup(t);

      await cache.set('a', 1);
      await cache.get('a');
      await cache.get('none');
      await cache.getOrLoad('b', () => 2);
      await cache.delete('a');

      expect({ ...cache.stats }).toMatchObject({
        hits: 1,
        misses: 2,
        stored: 1,
        removed: 1,
        loads: 1,
        loadFailures: 0,
      });
    });
  });
}
