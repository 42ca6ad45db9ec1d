import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { Redis } from '@sluice/redis';
import { freePort, testServer } from '@sluice/redis/testing';
import { describe, expect, test } from 'vitest';
import { CHECK_IDS } from '../src/doctor/catalog.ts';
import { at, doctor, ENTRY, GOOD, ON_REDIS, only, PASSWORD, run } from './doctor-run.ts';

const DOCS = resolve(import.meta.dirname, '../../../docs/doctor.md');

describe('a good set-up', () => {
  test('comes to status 0: nothing is wrong, nothing unknown', async (t) => {
    const queue = await testServer(t, { settings: GOOD('noeviction'), ...ENTRY });
    const cache = await testServer(t, { settings: GOOD('allkeys-lru'), ...ENTRY });

    const { status, findings, stdout } = await doctor(t, {
      ...at(queue),
      CACHE_HOST: '127.0.0.1',
      CACHE_PORT: String(cache.port),
      REDIS_PASSWORD: PASSWORD,
    });

    expect(findings.filter(({ severity }) => severity !== 'ok' && severity !== 'info')).toEqual([]);
    expect(status).toBe(0);
    expect(new Set(findings.map(({ role }) => role))).toEqual(
      new Set(['setup', 'cache', 'queue', 'session', 'limit', 'channel']),
    );
    expect(stdout).not.toContain(PASSWORD);
  });

  test('is looked at once, whatever number of roles it has, and nothing is left in it', async (t) => {
    const server = await testServer(t, { settings: GOOD('noeviction'), ...ENTRY });

    await doctor(t, { ...at(server), REDIS_PASSWORD: PASSWORD });

    const client = server.connect('worker') as Redis;
    expect(await client.info('commandstats')).toMatch(/cmdstat_slowlog\|len:calls=1,/);
    expect(await client.dbsize()).toBe(0);
  });

  test('lets a user in who may do what docs/doctor.md grants, and no more', async (t) => {
    const acl = /^user sluice .*$/m.exec(await readFile(DOCS, 'utf8'))?.[0] as string;
    const server = await testServer(t, {
      settings: [...GOOD('noeviction'), acl.replace('>PASSWORD', `>${PASSWORD}`)],
      ...ENTRY,
    });

    const { findings } = await doctor(t, {
      ...at(server),
      REDIS_USERNAME: 'sluice',
      REDIS_PASSWORD: PASSWORD,
    });

    expect(findings.filter(({ severity }) => severity === 'unknown' || severity === 'error')).toEqual([]);
    expect(only(findings, 'security.user', 'queue')).toMatchObject({
      severity: 'ok',
      evidence: "we are 'sluice'",
    });
  });
});

describe('a Redis that one does not get to', () => {
  test('that nobody listens for is told as on the published page', async (t) => {
    const port = await freePort();

    const { status, findings } = await doctor(t, { REDIS_HOST: '127.0.0.1', REDIS_PORT: String(port) });

    expect(only(findings, 'reach.port', 'session')).toMatchObject({
      severity: 'error',
      evidence: `127.0.0.1:${port}: connect ECONNREFUSED 127.0.0.1:${port}`,
      fix: `redis-cli -h 127.0.0.1 -p ${port} PING`,
    });
    expect(status).toBe(2);
  });

  test('and is silent costs no more than ten seconds', async (t) => {
    const server = await testServer(t, { isOpen: true });
    server.pause();
    t.onTestFinished(() => server.resume());
    const startedAt = performance.now();

    const { findings } = await doctor(t, at(server));

    expect(performance.now() - startedAt).toBeLessThan(10_000);
    expect(only(findings, 'reach.ping', 'queue')).toMatchObject({
      severity: 'error',
      evidence: 'not answered within 2000 ms',
    });
  });

  test.for([
    { given: {}, says: /^no password is configured: NOAUTH / },
    { given: { REDIS_PASSWORD: 'wrong-canary' }, says: /^the password that is configured is refused: / },
  ])('for want of the right password ($given)', async ({ given, says }, t) => {
    const server = await testServer(t, { settings: GOOD('noeviction'), ...ENTRY });

    const { status, findings, stdout } = await doctor(t, { ...at(server), ...given });

    expect(only(findings, 'reach.password', 'queue')).toMatchObject({
      severity: 'error',
      evidence: expect.stringMatching(says),
      fix: expect.stringMatching(/^REDIS_PASSWORD=/),
    });
    expect(stdout).not.toContain('wrong-canary');
    expect(status).toBe(2);
  });
});

describe('the report', () => {
  test('tells every fault of the settings as a finding, without connecting', async (t) => {
    const { status, findings } = await doctor(t, { REDIS_PORT: 'http', REDIS_DATABASE: '99' });

    expect(findings.map(({ id, severity, evidence }) => ({ id, severity, evidence }))).toEqual([
      {
        id: 'setup.config',
        severity: 'error',
        evidence: "REDIS_DATABASE: got '99', wanted a whole number from 0 to 15",
      },
      {
        id: 'setup.config',
        severity: 'error',
        evidence: "REDIS_PORT: got 'http', wanted a whole number from 1 to 65535",
      },
    ]);
    expect(status).toBe(2);
  });

  test('is narrowed to one role, and to the Redis that it lives in', async (t) => {
    const server = await testServer(t, { settings: GOOD('noeviction'), ...ENTRY });

    const { status, findings } = await doctor(
      t,
      { ...at(server), REDIS_PASSWORD: PASSWORD, CACHE_HOST: '127.0.0.1', CACHE_PORT: '1' },
      '--role',
      'queue',
    );

    expect(new Set(findings.map(({ role }) => role))).toEqual(new Set(['setup', 'queue']));
    expect(status).toBe(0);
  });

  test('is aligned for people, the worst first, in colour on a terminal alone', async (t) => {
    const server = await testServer(t, { settings: GOOD('allkeys-lru'), ...ENTRY });
    const variables = { ...ON_REDIS, ...at(server), REDIS_PASSWORD: PASSWORD };

    const plain = await run(['doctor'], variables);
    const coloured = await run(['doctor'], variables, true);

    const lines = plain.stdout.split('\n');
    const from = lines.indexOf(`127.0.0.1:${server.port}/0`);
    expect(lines[from + 1]).toMatch(/^SEVERITY {2}CHECK +ROLES +EVIDENCE$/);
    const column = lines[from + 1]?.indexOf('EVIDENCE') as number;
    expect(lines[from + 2]?.slice(0, column)).toMatch(/^error +memory\.policy +queue +$/);
    expect(lines[from + 3]).toMatch(/^ {2}why {2}BullMQ keeps its promises under noeviction alone/);
    expect(lines[from + 4]).toBe('  fix  QUEUE_HOST=redis-queue.internal');
    expect(lines.at(-2)).toMatch(/^\d+ findings: 2 errors, \d+ warnings, /);
    expect(plain.stdout).not.toContain('\u001b');
    expect(coloured.stdout).toContain('\u001b[31merror\u001b[0m');
    expect(plain.status).toBe(2);
  });

  test('knows no check that docs/doctor.md does not list, and lists none that is not', async () => {
    const text = await readFile(DOCS, 'utf8');

    const listed = [...text.matchAll(/^\| `([a-z]+\.[a-z-]+)` \|/gm)].map(([, id]) => id);

    expect([...new Set(listed)].sort()).toEqual([...CHECK_IDS].sort());
  });
});
