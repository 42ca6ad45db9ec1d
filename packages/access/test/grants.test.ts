import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Area, Grants, SCOPE_VERBS, type Verb } from '../src/index.ts';

const AREAS = Object.keys(SCOPE_VERBS) as Area[];
const EVERYTHING = AREAS.flatMap((area) => SCOPE_VERBS[area].map((verb) => ({ area, verb: verb as Verb })));

/** What the scopes allow of all there is, without a resource. */
const allowed = (...scopes: string[]) => {
  const grants = new Grants(scopes);
  return EVERYTHING.filter(({ area, verb }) => grants.allows(area, verb)).map(
    ({ area, verb }) => `${area}:${verb}`,
  );
};

describe('what no scope names is refused', () => {
  test('no scope, no right', () => {
    expect(allowed()).toEqual([]);
  });

  test('a scope is one right', () => {
    for (const { area, verb } of EVERYTHING) expect(allowed(`${area}:${verb}`)).toEqual([`${area}:${verb}`]);
  });

  test('an area is its verbs', () => {
    expect(allowed('limits:*')).toEqual(['limits:consume', 'limits:read', 'limits:manage']);
  });

  test('a star is everything', () => {
    expect(allowed('*')).toHaveLength(EVERYTHING.length);
    expect(new Grants(['*']).allows('cache', 'flush', 'redis/')).toBe(true);
  });

  test('the board is for reading', () => {
    expect(allowed('board')).toEqual(['board:read']);
  });

  test('a scope that cannot be read is refused as a whole', () => {
    expect(() => new Grants(['cache:read', 'cache:peek'])).toThrow(
      new TypeError("scope 'cache:peek' needs a verb of cache: read, write, delete, flush or *"),
    );
  });
});

describe('a resource', () => {
  const grants = new Grants([
    'cache:read:redis/user:*',
    'cache:read:redis/config',
    'cache:write:redis/*',
    'jobs:enqueue:mail',
    'jobs:read',
  ]);

  test.each([
    ['cache', 'read', 'redis/user:1', true],
    ['cache', 'read', 'redis/user:', true],
    ['cache', 'read', 'redis/user', false],
    ['cache', 'read', 'redis/config', true],
    ['cache', 'read', 'redis/config2', false],
    ['cache', 'read', 'redis2/user:1', false],
    ['cache', 'read', 'x/redis/user:1', false],
    ['cache', 'read', 'REDIS/user:1', false],
    ['cache', 'read', '', false],
    ['cache', 'write', 'redis/anything/at:all', true],
    ['cache', 'write', 'redis-2/a', false],
    ['cache', 'delete', 'redis/user:1', false],
    ['jobs', 'enqueue', 'mail', true],
    ['jobs', 'enqueue', 'mail2', false],
    ['jobs', 'enqueue', 'Mail', false],
    ['jobs', 'read', 'mail', true],
    ['jobs', 'manage', 'mail', false],
  ] as [Area, Verb, string, boolean][])('%s %s %s: %s', (area, verb, resource, isAllowed) => {
    expect(grants.allows(area, verb, resource)).toBe(isAllowed);
  });

  test('left out asks for all of them', () => {
    expect([
      grants.allows('jobs', 'read'),
      grants.allows('jobs', 'enqueue'),
      grants.allows('cache', 'write'),
    ]).toEqual([true, false, false]);
  });

  test('is some, where one will be asked about by one', () => {
    expect([
      grants.allowsSome('jobs', 'enqueue'),
      grants.allowsSome('cache', 'read'),
      grants.allowsSome('cache', 'delete'),
    ]).toEqual([true, true, false]);
  });

  test('is every one under a prefix, where all of them go at once', () => {
    expect(grants.allowsPrefix('cache', 'write', 'redis/')).toBe(true);
    expect(grants.allowsPrefix('cache', 'write', 'redis/a')).toBe(true);
    expect(grants.allowsPrefix('cache', 'write', 'red')).toBe(false);
    expect(grants.allowsPrefix('cache', 'write', '')).toBe(false);
    expect(grants.allowsPrefix('cache', 'read', 'redis/user:1')).toBe(true);
    // The one key is granted, the keys that begin with its name are not.
    expect(grants.allowsPrefix('cache', 'read', 'redis/config')).toBe(false);
    expect(grants.allowsPrefix('jobs', 'read', '')).toBe(true);
    expect(new Grants(['*']).allowsPrefix('cache', 'flush', '')).toBe(true);
  });
});

test('a glob means: the whole resource, or its beginning before the star', () => {
  const queue = fc.string({
    unit: fc.constantFrom('a', 'b', ':', '.', '-', '/', '?', '['),
    minLength: 1,
    maxLength: 4,
  });
  fc.assert(
    fc.property(fc.array(fc.tuple(queue, fc.boolean()), { maxLength: 4 }), queue, (globs, resource) => {
      const grants = new Grants(globs.map(([text, isOpen]) => `jobs:read:${text}${isOpen ? '*' : ''}`));
      const isNamed = globs.some(([text, isOpen]) =>
        isOpen ? resource.startsWith(text) : resource === text,
      );

      expect(grants.allows('jobs', 'read', resource)).toBe(isNamed);
      expect(grants.allows('jobs', 'manage', resource)).toBe(false);
      expect(grants.allowsSome('jobs', 'read')).toBe(globs.length > 0);
    }),
  );
});
