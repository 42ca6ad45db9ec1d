import { randomBytes } from 'node:crypto';
import { Env, readRoles } from '@sluice/config';
import { describe, expect, test } from 'vitest';
import {
  patchService,
  recordedServices,
  replaceService,
  type ServiceBody,
  serviceConfigOf,
  toldService,
} from '../src/service-record.ts';

const secret = randomBytes(32);
const roles = readRoles(new Env({}));
const secrets = { secret, roles };
const recorded = recordedServices(secrets);

function stored(given: unknown): ServiceBody {
  const read = recorded.read(given);
  if ('issues' in read) throw new Error(JSON.stringify(read.issues));
  return read.body;
}

const ORDERS = {
  name: 'Orders',
  type: 'cache_redis',
  config: { host: 'redis.internal', password: 'p-1', options: { flush_policy: 'deny' } },
};
const GUARDED = {
  name: 'guarded',
  type: 'cache_redis',
  config: { password: 'p-1', options: { sentinels: ['s:26379'], sentinel_password: 'p-2' } },
};

const opened = (body: ServiceBody) => serviceConfigOf({ name: body.definition.name, body }, secrets);
const passwordOf = (body: ServiceBody) => opened(body).redis?.password?.reveal();

describe('a stored service', () => {
  test('holds its passwords sealed, each for its own place, and opens to what was given', () => {
    const body = stored(GUARDED);

    const text = JSON.stringify(body);
    expect(text).not.toMatch(/p-1|p-2/);
    expect(opened(body)).toMatchObject({ name: 'guarded', defaultTtlMinutes: 300 });
    const { redis } = opened(body);
    expect(redis?.password?.reveal()).toBe('p-1');
    expect(redis?.kind === 'sentinel' && redis.sentinelPassword?.reveal()).toBe('p-2');
    const { password, sentinel_password: sentinelPassword } = body.sealed;
    const swapped = { ...body, sealed: { password: sentinelPassword, sentinel_password: password } };
    expect(() => opened(swapped as ServiceBody)).toThrow(expect.objectContaining({ code: 'secret_changed' }));
  });

  test('is told with its name in lower case and without passwords', () => {
    expect(toldService(stored(ORDERS))).toEqual({
      name: 'orders',
      label: 'orders',
      description: '',
      type: 'cache_redis',
      is_active: true,
      config: {
        host: 'redis.internal',
        default_ttl: 300,
        has_password: true,
        options: { flush_policy: 'deny', unavailable_status: 500, post_status: 201 },
      },
    });
    expect(JSON.stringify(toldService(stored(GUARDED)))).not.toMatch(/p-1|p-2|v1\./);
  });

  test('without a place of its own is on the Redis of the cache role', () => {
    expect(opened(stored({ name: 'a', type: 'cache_redis' })).redis).toBe(roles.redis.cache);
  });
});

describe('a change', () => {
  test.for<[string, (body: ServiceBody) => unknown, string | undefined]>([
    ['that does not name the password keeps it', (body) => patchService(body, { label: 'x' }, secret), 'p-1'],
    ['that names another takes it', (body) => patchService(body, { config: { password: 'n' } }, secret), 'n'],
    ['with null removes it', (body) => patchService(body, { config: { password: null } }, secret), undefined],
    [
      'of everything keeps it',
      (body) => replaceService(body, { ...ORDERS, config: { host: 'b' } }, secret),
      'p-1',
    ],
    [
      'of everything with null removes it',
      (body) => replaceService(body, { ...ORDERS, config: { password: null } }, secret),
      undefined,
    ],
  ])('%s', ([, edit, password]) => {
    expect(passwordOf(stored(edit(stored(ORDERS))))).toBe(password);
  });

  test('keeps the password of the Sentinels as well', () => {
    const replaced = stored(
      replaceService(stored(GUARDED), { ...GUARDED, config: { options: { sentinels: ['t:1'] } } }, secret),
    );

    const { redis } = opened(replaced);
    expect(redis?.password?.reveal()).toBe('p-1');
    expect(redis?.kind === 'sentinel' && redis.sentinelPassword?.reveal()).toBe('p-2');
  });

  test('keeps what it does not name, and null removes', () => {
    const patched = patchService(
      stored(ORDERS),
      { config: { host: null, options: { post_status: 200 } } },
      secret,
    );

    const config = opened(stored(patched));
    expect(config.options).toMatchObject({ flushPolicy: 'deny', postStatus: 200 });
    expect(config.redis).toMatchObject({ kind: 'standalone', host: '127.0.0.1' });
  });

  test('may send back what was told', () => {
    const body = stored(ORDERS);
    const told = { ...toldService(body), origin: 'system', version: 3, mutable: true, problem: null };

    expect(toldService(stored(replaceService(body, told, secret)))).toEqual(toldService(body));
    expect(passwordOf(stored(replaceService(body, told, secret)))).toBe('p-1');
  });

  test('of the password needs no old one that can be read', () => {
    const elsewhere = randomBytes(32);
    const body = stored(ORDERS);

    expect(() => patchService(body, { label: 'x' }, elsewhere)).toThrow(
      expect.objectContaining({ code: 'secret_changed' }),
    );
    expect(() => patchService(body, { config: { password: 'new' } }, elsewhere)).not.toThrow();
    expect(() => patchService(body, { config: { password: null } }, elsewhere)).not.toThrow();
  });

  test('does not reach the prototype of anything', () => {
    const patch = JSON.parse(
      '{"__proto__": {"polluted": true}, "config": {"__proto__": {"polluted": true}}}',
    );

    expect(recorded.read(patchService(stored(ORDERS), patch, secret))).toHaveProperty('issues');
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
  });
});
