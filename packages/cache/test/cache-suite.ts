/** This file owns what every driver must do; `redis-driver.test.ts` and `file-driver.test.ts` run it whole. */
import { JsonText } from '@sluice/runtime';
import { describe, expect, it } from 'vitest';
import { keysSuite } from './cache-keys-suite.ts';
import { about, type Setup } from './setup.ts';

const KEYS = [
  'user:123:profile',
  'a/b',
  'a..b',
  'a.b',
  'ab',
  '0',
  ' ',
  'ключ',
  '😀',
  '*',
  '[a]',
  '{x}',
  'a}b',
  '{}',
  '__proto__',
  'x'.repeat(1_024),
];

/** Texts that JSON.parse and JSON.stringify would change. */
const TEXTS = [
  '12345678901234567890',
  '1.0',
  '1E+2',
  '{"a":1,"a":2}',
  '{ "b" : [ 1 , 2 ] }',
  '"\\u0041\\/\\ud800"',
  '"ключ 😀"',
  'null',
  '0',
  '""',
  'false',
  '[]',
  ' \n{"space":"before"}',
];

export function cacheSuite(driver: string, setup: Setup): void {
  describe(`a cache on ${driver}`, () => {
    it('answers what was stored, byte for byte', async (t) => {
      const { cache } = await setup(t);

      for (const [at, text] of TEXTS.entries()) await cache.set(`k${at}`, new JsonText(text));

      const entries = await Promise.all(TEXTS.map((_, at) => cache.get(`k${at}`)));
      expect(entries.map((entry) => entry?.text)).toEqual(TEXTS);
      expect(entries.map((entry) => entry?.isStale)).toEqual(TEXTS.map(() => false));
    });

    it('keeps every legal key apart from every other', async (t) => {
      const { cache } = await setup(t);

      await cache.setMany(KEYS.map((key) => ({ key, value: key })));

      expect((await cache.getMany(KEYS)).map((entry) => entry?.value)).toEqual(KEYS);
      expect((await cache.list()).keys).toEqual([...KEYS].sort());
    });

    it.for([
      ['', 'empty'],
      ['a\u0000b', 'a control character'],
      ['tab\t', 'a tab'],
      ['\u007f', 'DEL'],
      ['\ud800', 'a lone surrogate'],
      ['é'.repeat(513), '1026 bytes'],
    ] as const)('refuses the key %j: %s', async ([key], t) => {
      const { cache } = await setup(t);

      await expect(cache.get(key)).rejects.toMatchObject({ code: 'key_invalid' });
      await expect(cache.set(key, 1)).rejects.toMatchObject({ code: 'key_invalid' });
      await expect(cache.delete(key)).rejects.toMatchObject({ code: 'key_invalid' });
    });

    it('lets an entry live as long as its TTL says and no longer', async (t) => {
      const { cache, age } = await setup(t);
      await cache.set('short', 1, { ttl: 30 });

      expect(await cache.getTimed('short')).toMatchObject({ ttlSeconds: about(30) });
      await age('short', 20);
      expect(await cache.has('short')).toBe(true);
      await age('short', 11);

      expect(await cache.get('short')).toBeUndefined();
      expect(await cache.getTimed('short')).toBeUndefined();
      expect(await cache.has('short')).toBe(false);
      expect(await cache.delete('short')).toBe(false);
      expect((await cache.list()).keys).toEqual([]);
    });

    it('gives 300 minutes when nothing is said, and no end when told so', async (t) => {
      const { cache, open } = await setup(t);
      const endless = open('endless', { defaultTtlMinutes: 0 });

      await cache.set('default', 1);
      await cache.set('kept', 1, { ttl: 'forever' });
      await endless.set('default', 1);

      expect(await cache.getTimed('default')).toMatchObject({ ttlSeconds: about(18_000) });
      expect(await cache.getTimed('kept')).toMatchObject({ ttlSeconds: null });
      expect(await endless.getTimed('default')).toMatchObject({ ttlSeconds: null });
    });

    it('starts the TTL anew with each write, or keeps it when asked', async (t) => {
      const { cache, age } = await setup(t);
      await cache.set('k', 1, { ttl: 100 });
      await age('k', 40);

      await cache.set('k', 2, { ttl: 'keep' });
      const kept = await cache.getTimed('k');
      await cache.set('k', 3);

      expect(kept).toMatchObject({ ttlSeconds: about(60) });
      expect(await cache.getTimed('k')).toMatchObject({ ttlSeconds: about(18_000) });
    });

    it.for([0, -1, 1.5, Number.NaN, 315_360_001])('refuses the TTL %d', async (ttl, t) => {
      const { cache } = await setup(t);

      await expect(cache.set('k', 1, { ttl })).rejects.toMatchObject({ code: 'ttl_invalid' });
      expect(await cache.has('k')).toBe(false);
    });

    it('refuses values that are not JSON or too large', async (t) => {
      const { cache } = await setup(t, { maxValueBytes: 10 });

      await expect(cache.set('k', undefined)).rejects.toMatchObject({ code: 'value_invalid' });
      await expect(cache.set('k', new JsonText(''))).rejects.toMatchObject({ code: 'value_invalid' });
      await expect(cache.set('k', new JsonText('\u00011'))).rejects.toMatchObject({ code: 'value_invalid' });
      await expect(cache.set('k', '123456789')).rejects.toMatchObject({
        code: 'value_too_large',
        details: { bytes: 11, maxBytes: 10 },
      });
      await cache.set('k', 'ключ');
      expect((await cache.get('k'))?.value).toBe('ключ');
    });

    it('stores over nothing only, or over something only, when asked', async (t) => {
      const { cache } = await setup(t);

      await expect(cache.set('k', 1, { when: 'present' })).rejects.toMatchObject({ code: 'key_not_found' });
      await cache.set('k', 2, { when: 'absent' });
      await expect(cache.set('k', 3, { when: 'absent' })).rejects.toMatchObject({ code: 'key_exists' });
      await cache.set('k', 4, { when: 'present' });

      expect((await cache.get('k'))?.value).toBe(4);
    });

    it('stores and deletes under a matching ETag only', async (t) => {
      const { cache } = await setup(t);
      await cache.set('k', { v: 1 }, { ttl: 100 });
      const first = (await cache.get('k'))?.etag ?? '';

      await cache.set('k', { v: 2 }, { ifMatch: ['other', first], ttl: 'keep' });
      await expect(cache.set('k', { v: 3 }, { ifMatch: [first] })).rejects.toMatchObject({
        code: 'etag_mismatch',
      });
      await expect(cache.delete('k', { ifMatch: [first] })).rejects.toMatchObject({ code: 'etag_mismatch' });
      await expect(cache.set('none', 1, { ifMatch: [first] })).rejects.toMatchObject({
        code: 'key_not_found',
      });

      const timed = await cache.getTimed('k');
      expect(timed).toMatchObject({ ttlSeconds: about(100), entry: { text: '{"v":2}' } });
      expect(await cache.delete('k', { ifMatch: [timed?.entry.etag ?? ''] })).toBe(true);
      expect(await cache.delete('k', { ifMatch: [first] })).toBe(false);
    });

    it('has the same ETag for the same bytes and another for others', async (t) => {
      const { cache } = await setup(t);
      await cache.setMany([
        { key: 'a', value: new JsonText('1.0') },
        { key: 'b', value: new JsonText('1.0') },
        { key: 'c', value: new JsonText('1.00') },
      ]);

      const [a, b, c] = (await cache.getMany(['a', 'b', 'c'])).map((entry) => entry?.etag);

      expect(a).toBe(b);
      expect(a).not.toBe(c);
    });

    it('lets one of many win who all store over nothing', async (t) => {
      const { open } = await setup(t);
      const caches = [open('books'), open('books')];

      const outcomes = await Promise.allSettled(
        Array.from({ length: 40 }, (_, at) => caches[at % 2]?.set('k', at, { when: 'absent' })),
      );

      expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    });

    it('tells of each item of a batch what became of it', async (t) => {
      const { cache } = await setup(t);
      await cache.set('there', 1);

      const results = await cache.setMany([
        { key: 'a', value: 1 },
        { key: 'there', value: 2, when: 'absent' },
        { key: 'gone', value: 3, when: 'present' },
        { key: 'there', value: 4, ifMatch: ['other'] },
        { key: 'b', value: 5 },
      ]);

      expect(results).toMatchObject([
        { key: 'a', isStored: true, error: undefined },
        { key: 'there', isStored: false, error: { code: 'key_exists' } },
        { key: 'gone', isStored: false, error: { code: 'key_not_found' } },
        { key: 'there', isStored: false, error: { code: 'etag_mismatch' } },
        { key: 'b', isStored: true, error: undefined },
      ]);
      expect((await cache.getMany(['a', 'there', 'gone', 'b'])).map((entry) => entry?.value)).toEqual([
        1,
        1,
        undefined,
        5,
      ]);
    });

    it('stores nothing of a batch with a malformed item, or the rest when asked', async (t) => {
      const { cache } = await setup(t);
      const items = [
        { key: 'a', value: 1 },
        { key: '', value: 2 },
        { key: 'b', value: 3, ttl: 0.5 },
      ];

      const refused = await cache.setMany(items);
      expect(refused).toMatchObject([
        { key: 'a', isStored: false, error: undefined },
        { key: '', isStored: false, error: { code: 'key_invalid' } },
        { key: 'b', isStored: false, error: { code: 'ttl_invalid' } },
      ]);
      expect((await cache.list()).keys).toEqual([]);

      const partial = await cache.setMany(items, { isPartial: true });
      expect(partial.map(({ isStored }) => isStored)).toEqual([true, false, false]);
      expect((await cache.list()).keys).toEqual(['a']);
    });

    it('adds all items or none', async (t) => {
      const { cache } = await setup(t);
      const items = ['a', 'b', 'c'].map((key) => ({ key, value: key, ttl: 60 }));
      await cache.set('b', 'before');

      await expect(cache.addAll(items)).rejects.toMatchObject({
        code: 'keys_exist',
        details: { keys: ['b'] },
      });
      expect((await cache.getMany(['a', 'b', 'c'])).map((entry) => entry?.value)).toEqual([
        undefined,
        'before',
        undefined,
      ]);

      await cache.delete('b');
      await cache.addAll(items);
      expect((await cache.getMany(['a', 'b', 'c'])).map((entry) => entry?.value)).toEqual(['a', 'b', 'c']);
      expect(await cache.getTimed('c')).toMatchObject({ ttlSeconds: about(60) });
    });

    it('lets one of two overlapping adds win whole', async (t) => {
      const { open } = await setup(t);
      const caches = [open('books'), open('books')];

      for (let round = 0; round < 5; round += 1) {
        const adds = caches.map((cache, at) =>
          cache.addAll([`x${round}`, `y${round}`, `z${round}`].map((key) => ({ key, value: at }))),
        );
        const outcomes = await Promise.allSettled(adds);
        const winner = outcomes.findIndex(({ status }) => status === 'fulfilled');
        expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
        const stored = await caches[0]?.getMany([`x${round}`, `y${round}`, `z${round}`]);
        expect(stored?.map((entry) => entry?.value)).toEqual([winner, winner, winner]);
      }
    });

    keysSuite(setup);
  });
}
