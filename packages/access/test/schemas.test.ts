import { describe, expect, test } from 'vitest';
import { newKeySchema, scopeSchema } from '../src/schemas.ts';

const messageOf = (scope: string) => scopeSchema.safeParse(scope).error?.issues[0]?.message;

describe('a scope', () => {
  test.each([
    '*',
    'board',
    'board:read',
    'board:*',
    'cache:read',
    'cache:*',
    'cache:read:*',
    'cache:read:redis/*',
    'cache:write:redis/user:*',
    'cache:delete:redis/a/b',
    'cache:flush:redis/',
    'cache:*:my_cache-1/*',
    'jobs:enqueue:mail',
    'jobs:consume:mail-*',
    'deliveries:send',
    'limits:consume:login',
    'sessions:write',
    'channels:subscribe:news.*',
    'metrics:read',
    'system:write',
  ])('%s is one', (scope) => {
    expect(scopeSchema.parse(scope)).toBe(scope);
  });

  test.each([
    ['', undefined],
    [
      '**',
      "scope '**' names no area of cache, jobs, deliveries, limits, sessions, channels, board, metrics, system",
    ],
    [
      '*:read',
      "scope '*:read' names no area of cache, jobs, deliveries, limits, sessions, channels, board, metrics, system",
    ],
    [
      'cash:read',
      "scope 'cash:read' names no area of cache, jobs, deliveries, limits, sessions, channels, board, metrics, system",
    ],
    [
      'constructor:read',
      "scope 'constructor:read' names no area of cache, jobs, deliveries, limits, sessions, channels, board, metrics, system",
    ],
    ['cache', "scope 'cache' needs a verb of cache: read, write, delete, flush or *"],
    ['cache:', "scope 'cache:' needs a verb of cache: read, write, delete, flush or *"],
    [
      'Cache:read',
      "scope 'Cache:read' names no area of cache, jobs, deliveries, limits, sessions, channels, board, metrics, system",
    ],
    ['jobs:write', "scope 'jobs:write' needs a verb of jobs: enqueue, read, manage, consume or *"],
    ['jobs:enqueue:', "scope 'jobs:enqueue:' ends with a colon and names no resource"],
    ['jobs:enqueue:*-mail', "scope 'jobs:enqueue:*-mail' holds a * that is not at its end"],
    ['jobs:enqueue:m*l*', "scope 'jobs:enqueue:m*l*' holds a * that is not at its end"],
    [
      'cache:read:user:*',
      "scope 'cache:read:user:*' must name a service in lower case and its keys, as in cache:read:redis/*",
    ],
    [
      'cache:read:Redis/*',
      "scope 'cache:read:Redis/*' must name a service in lower case and its keys, as in cache:read:redis/*",
    ],
    [
      'cache:read:redis',
      "scope 'cache:read:redis' must name a service in lower case and its keys, as in cache:read:redis/*",
    ],
    ['metrics:read:x', "scope 'metrics:read:x' names a resource, and metrics has none"],
    ['board:read:mail', "scope 'board:read:mail' names a resource, and board has none"],
    [
      ' cache:read',
      "scope ' cache:read' names no area of cache, jobs, deliveries, limits, sessions, channels, board, metrics, system",
    ],
  ])('%j is none', (scope, message) => {
    expect(scopeSchema.safeParse(scope).success).toBe(false);
    if (message) expect(messageOf(scope)).toBe(message);
  });

  test.each(['cache:read:redis/a\nb', 'jobs:read:\ud800', 'jobs:read:\u0000'])(
    '%j holds what no log and no Lua can',
    (scope) => {
      expect(messageOf(scope)).toBe('no control characters and no half surrogate pairs');
    },
  );

  test('has a bounded length', () => {
    expect(scopeSchema.safeParse(`cache:read:redis/${'k'.repeat(1_024)}`).success).toBe(true);
    expect(scopeSchema.safeParse(`cache:read:redis/${'k'.repeat(2_000)}`).success).toBe(false);
  });
});

describe('a new key', () => {
  test.each([
    [{ label: '', scopes: ['*'] }, 'label'],
    [{ label: '  ', scopes: ['*'] }, 'label'],
    [{ label: 'x'.repeat(101), scopes: ['*'] }, 'label'],
    [{ label: 'a\u001b[31m', scopes: ['*'] }, 'label'],
    [{ label: 'a', scopes: [] }, 'scopes'],
    [{ label: 'a', scopes: ['*', 'nonsense'] }, 'scopes.1'],
    [{ label: 'a', scopes: Array.from({ length: 101 }, () => '*') }, 'scopes'],
    [{ label: 'a', scopes: ['*'], expiresAt: 1.5 }, 'expiresAt'],
    [{ label: 'a', scopes: ['*'], expiresAt: 1e15 }, 'expiresAt'],
    [{ label: 'a', scopes: ['*'], id: 'mine' }, ''],
  ])('%j is refused at %s', (input, path) => {
    expect(newKeySchema.safeParse(input).error?.issues[0]?.path.join('.')).toBe(path);
  });

  test('without an end is one', () => {
    expect(newKeySchema.parse({ label: ' ci ', scopes: ['*'] })).toEqual({ label: 'ci', scopes: ['*'] });
  });
});
