import { inspect } from 'node:util';
import { describe, expect, test } from 'vitest';
import { ConfigError, Env, Secret } from '../src/index.ts';

const CANARY = 'canary-hunter2';

function faultsOf(env: Env) {
  try {
    env.finish();
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.faults;
    throw error;
  }
}

describe('a setting', () => {
  test('that is unset or empty has its default', () => {
    const env = new Env({ EMPTY: '' });

    expect([
      env.text('EMPTY', 'fallback'),
      env.text('UNSET', undefined),
      env.integer('EMPTY', 7, { min: 0, max: 9 }),
    ]).toEqual(['fallback', undefined, 7]);
    expect([
      env.boolean('UNSET', true),
      env.oneOf('EMPTY', ['a', 'b'], 'b'),
      env.list('UNSET'),
      env.secret('EMPTY'),
    ]).toEqual([true, 'b', [], undefined]);
    expect(faultsOf(env)).toEqual([]);
  });

  test.each(['1', 'true', 'TRUE', 'yes', 'on', 'Y', 't'])('is on for %s', (value) => {
    expect(new Env({ FLAG: value }).boolean('FLAG', false)).toBe(true);
  });

  test.each(['0', 'false', 'No', 'OFF', 'n', 'f'])('is off for %s', (value) => {
    expect(new Env({ FLAG: value }).boolean('FLAG', true)).toBe(false);
  });

  test.each(['', ' ', '8080x', '1e3', '0x10', '8080.5', '-1', '65536', '99999999999999999999', '+80'])(
    'is no port for %j',
    (value) => {
      const env = new Env({ PORT: value });

      expect(env.integer('PORT', 8080, { min: 0, max: 65_535 })).toBe(8080);
      expect(faultsOf(env)).toEqual(
        value === ''
          ? []
          : [
              {
                name: 'PORT',
                got: `'${value}'`,
                wanted: 'a whole number from 0 to 65535',
                example: 'PORT=8080',
              },
            ],
      );
    },
  );

  test('is one of its choices, whatever the case', () => {
    const env = new Env({ LEVEL: 'Debug', OTHER: 'loud' });

    expect(env.oneOf('LEVEL', ['info', 'debug'], 'info')).toBe('debug');
    expect(env.oneOf('OTHER', ['info', 'debug'], 'info')).toBe('info');
    expect(faultsOf(env)).toEqual([
      { name: 'OTHER', got: "'loud'", wanted: 'one of info, debug', example: 'OTHER=info' },
    ]);
  });

  test('is a list without its blanks', () => {
    expect(new Env({ HOSTS: ' a, b ,,c,' }).list('HOSTS')).toEqual(['a', 'b', 'c']);
  });

  test('by two names is taken from either', () => {
    expect(new Env({ NEW: 'x' }).text(['NEW', 'OLD'], '')).toBe('x');
    expect(new Env({ OLD: 'x' }).text(['NEW', 'OLD'], '')).toBe('x');
    expect(new Env({ NEW: 'x', OLD: 'x' }).text(['NEW', 'OLD'], '')).toBe('x');
  });

  test('by two names with two values is refused, with both names', () => {
    const env = new Env({ NEW: 'x', OLD: 'y' });

    env.text(['NEW', 'OLD'], '');

    expect(faultsOf(env)).toEqual([
      {
        name: 'NEW and OLD',
        got: "two different values ('x' and 'y')",
        wanted: 'one of them, or the same value in both',
        example: 'OLD=',
      },
    ]);
  });
});

test('every fault is in one message, each once', () => {
  const env = new Env({ PORT: 'x', LEVEL: 'y' });
  env.integer('PORT', 1, { min: 1, max: 2 });
  env.integer('PORT', 1, { min: 1, max: 2 });
  env.oneOf('LEVEL', ['a'], 'a');

  expect(() => env.finish()).toThrow(
    [
      'The configuration has 2 faults:',
      "  PORT: got 'x', wanted a whole number from 1 to 2, for example PORT=1",
      "  LEVEL: got 'y', wanted 'a', for example LEVEL=a",
    ].join('\n'),
  );
});

describe('a secret', () => {
  test('is printed by nothing that prints', () => {
    const secret = new Secret(CANARY);

    expect(secret.reveal()).toBe(CANARY);
    const printed = [
      String(secret),
      `${secret}`,
      JSON.stringify({ secret }),
      inspect({ secret }, { depth: 9, showHidden: true }),
      Object.entries(secret),
    ];
    expect(JSON.stringify(printed)).not.toContain(CANARY);
  });

  test('that is too short is told by its length alone', () => {
    const env = new Env({ SLUICE_SECRET: CANARY });

    env.secret('SLUICE_SECRET', { minLength: 32 });

    expect(faultsOf(env)).toEqual([
      {
        name: 'SLUICE_SECRET',
        got: 'a secret of 14 characters',
        wanted: 'at least 32 characters',
        example: 'SLUICE_SECRET=$(openssl rand -hex 32)',
      },
    ]);
  });

  test.each([`redis://:${CANARY}@host`, `user:${CANARY}@host`])(
    'in the wrong variable stays unsaid: %s',
    (value) => {
      const env = new Env({ REDIS_HOST: value, A: value, B: 'x' });

      env.text('REDIS_HOST', '', { pattern: /^\w+$/, wanted: 'a host', example: 'localhost' });
      env.text(['A', 'B'], '');

      expect(faultsOf(env)).toHaveLength(2);
      expect(JSON.stringify(faultsOf(env))).not.toContain(CANARY);
    },
  );
});
