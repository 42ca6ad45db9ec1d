import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { describe, expect, test } from 'vitest';
import { createLog, DomainError, type Log } from '../src/index.ts';

const CANARY = 'canary-hunter2';

function setup(level?: 'warn') {
  const lines: string[] = [];
  const log = createLog({
    name: 'test',
    ...(level && { level }),
    destination: { write: (line) => void lines.push(line) },
  });
  const last = () => JSON.parse(lines.at(-1) ?? '{}') as Record<string, unknown>;
  return { log, lines, last };
}

describe('a line', () => {
  test('has a time, a level by name, its fields and its message', () => {
    const { log, lines, last } = setup();

    log.info({ queue: 'mail', attempt: 2 }, 'attempt timed out');

    expect(lines).toHaveLength(1);
    const { time, pid, hostname, ...rest } = last();
    expect(rest).toEqual({
      level: 'info',
      name: 'test',
      queue: 'mail',
      attempt: 2,
      msg: 'attempt timed out',
    });
    expect(new Date(String(time)).toISOString()).toBe(time);
    expect([pid, hostname]).toEqual([process.pid, expect.any(String)]);
  });

  test('below the level is not written', () => {
    const { log, lines } = setup('warn');

    log.info('quiet');
    log.warn('loud');

    expect(lines).toHaveLength(1);
  });

  test('keeps its fields as they are', () => {
    const { log, last } = setup();
    const fields = {
      n: 1.5,
      t: true,
      z: null,
      list: [1, 'a', { b: [] }],
      at: new Date(0),
      tokens: 3,
      keyId: 'k',
      secretary: 'x',
    };

    log.info(fields, 'm');

    expect(last()).toMatchObject({ ...fields, at: '1970-01-01T00:00:00.000Z' });
    expect(fields.list).toEqual([1, 'a', { b: [] }]);
  });
});

describe('no secret is written', () => {
  const names = [
    'password',
    'Password',
    'redis_password',
    'REDIS_PASSWORD',
    'secret',
    'masterSecret',
    'token',
    'sessionToken',
    'session_token',
    'X-DreamFactory-API-Key',
    'x-dreamfactory-session-token',
    'apiKey',
    'api_key',
    'authorization',
    'Authorization',
    'cookie',
    'set-cookie',
    'pepper',
    'credentials',
    'privateKey',
    'passphrase',
  ];
  const places: [string, (log: Log, field: object) => void][] = [
    ['in a field', (log, field) => log.info(field, 'm')],
    ['deep in a field', (log, field) => log.info({ a: { b: { c: { d: field } } } }, 'm')],
    ['in a list', (log, field) => log.info({ list: [{ x: [field] }] }, 'm')],
    ['in the fields of a child', (log, field) => log.child(field).child({ more: field }).info('m')],
    ['on an error', (log, field) => log.error({ error: Object.assign(new Error('e'), field) }, 'm')],
    [
      'on an error under any name',
      (log, field) => log.error({ reason: { why: Object.assign(new Error('e'), field) } }, 'm'),
    ],
    [
      'on the cause of an error',
      (log, field) =>
        log.error({ err: new Error('e', { cause: Object.assign(new Error('c'), field) }) }, 'm'),
    ],
    ['on an error that is all there is', (log, field) => log.error(Object.assign(new Error('e'), field))],
  ];
  for (const [where, write] of places) {
    test(where, () => {
      const { log, lines } = setup();

      for (const name of names) write(log, { [name]: CANARY });

      expect(lines).toHaveLength(names.length);
      expect(lines.join('')).not.toContain(CANARY);
    });
  }

  test('as bytes, or deeper than anybody looks', () => {
    const { log, last } = setup();
    const deep = { a: { b: { c: { d: { e: { f: { g: CANARY } } } } } } };

    log.info({ body: Buffer.from(CANARY), bytes: new Uint8Array(3), deep }, 'm');

    expect(last()).toMatchObject({
      body: '[14 bytes]',
      bytes: '[3 bytes]',
      deep: { a: { b: { c: { d: { e: '[deep]' } } } } },
    });
  });

  test('as the arguments of a command that Redis refused', () => {
    const { log, lines } = setup();
    const refusal = Object.assign(new Error('WRONGPASS'), { command: { name: 'auth', args: [CANARY] } });

    log.error({ error: refusal, list: [refusal] }, 'm');
    log.error({ error: new AggregateError([refusal], 'all') }, 'm');

    expect(lines.join('')).not.toContain(CANARY);
  });
});

describe('an error', () => {
  test('is written with its type, code, message, stack and causes', () => {
    const { log, last } = setup();
    const cause = Object.assign(new TypeError('refused'), { code: 'ECONNREFUSED' });
    const error = new DomainError('job_unknown', 'no job 41', { cause });

    log.error({ error }, 'm');

    expect(last().error).toEqual({
      type: 'DomainError',
      code: 'job_unknown',
      message: 'no job 41',
      stack: error.stack,
      cause: { type: 'TypeError', code: 'ECONNREFUSED', message: 'refused', stack: cause.stack },
    });
  });

  test('of several tells of each', () => {
    const { log, last } = setup();

    log.error({ error: new AggregateError([new Error('one'), new Error('two')], '') }, 'm');

    expect(last().error).toMatchObject({
      type: 'AggregateError',
      errors: [{ message: 'one' }, { message: 'two' }],
    });
  });

  test('that is its own cause ends', () => {
    const { log, lines } = setup();
    const error = new Error('loop');
    error.cause = error;

    log.error({ error }, 'm');

    expect(lines).toHaveLength(1);
  });
});

describe('standard output', () => {
  const child = (script: string, options: { stopAfterFirstLine?: boolean } = {}) => {
    const source = `import { createLog } from '@sluice/runtime'; const log = createLog({ name: 'child' }); ${script}`;
    const args = ['--conditions=@sluice/source', '--import=tsx', '--input-type=module', '-e', source];
    const process = spawn(globalThis.process.execPath, args, { cwd: import.meta.dirname });
    let text = '';
    process.stdout.on('data', (chunk) => {
      text += chunk;
      if (options.stopAfterFirstLine) process.kill('SIGKILL');
    });
    return once(process, 'close').then(() =>
      text
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line).msg),
    );
  };

  test('has every line of a process that ends, by itself or with an error', async () => {
    const lines = Array.from({ length: 300 }, (_, index) => `line ${index}`);
    const logAll = 'for (let i = 0; i < 300; i += 1) log.info("line " + i);';

    expect(await child(logAll)).toEqual(lines);
    expect(await child(`${logAll} process.exit(1);`)).toEqual(lines);
    expect(await child(`${logAll} setTimeout(() => { throw new Error('thrown'); });`)).toEqual(lines);
  });

  test('has a line soon, though nothing follows it', async () => {
    expect(
      await child("log.info('alone'); setInterval(() => {}, 1_000);", { stopAfterFirstLine: true }),
    ).toEqual(['alone']);
  });
});
