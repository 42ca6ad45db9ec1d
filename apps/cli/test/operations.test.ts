import { describe, expect, test, vi } from 'vitest';
import { runningSluice, servedQueue, unservedQueue } from './running-sluice.ts';

vi.setConfig({ testTimeout: 30_000 });

const here = runningSluice();

async function fill(queue: string, count: number, ...args: string[]): Promise<void> {
  const lines = Array.from({ length: count }, (_, n) => `{"n":${n}}`).join('\n');
  await here.sluiceWith({ input: [lines] }, 'enqueue', queue, 'example.echo', '--stdin', ...args);
}

describe('queues', () => {
  test('are listed, with and without the word list', async () => {
    const queue = unservedQueue();
    await fill(queue, 3);

    const listed = await here.sluice('queues');
    const programs = await here.lines('queues', 'list', '--json');

    expect(listed.stdout).toMatch(
      /^QUEUE +STATE +WAITING +ACTIVE +DELAYED +FAILED +COMPLETED +OLDEST +WORKERS +DURABILITY\n/,
    );
    expect(listed.stdout).toMatch(new RegExp(`^${queue} +open +3 +0 +0 +0 +0 +\\w+ +\\d+ +memory$`, 'm'));
    expect(programs).toContainEqual(expect.objectContaining({ name: queue, is_paused: false }));
  });

  test('are held, shown and let go', async () => {
    const queue = unservedQueue();
    await fill(queue, 1);

    const paused = await here.sluice('queues', 'pause', queue);
    const shown = await here.sluice('queues', 'show', queue);
    const resumed = await here.sluice('queues', 'resume', queue, '--json');

    expect(paused.stdout).toBe(`Queue ${queue} is paused; 1 job waits in it.\n`);
    expect(shown.stdout).toMatch(/^state +paused$/m);
    expect(shown.stdout).toMatch(/^waiting +1$/m);
    expect(JSON.parse(resumed.stdout)).toMatchObject({ name: queue, is_paused: false });
  });

  test('are emptied only when that is confirmed', async () => {
    const queue = unservedQueue();
    await fill(queue, 5);
    await fill(queue, 2, '--delay', '1h', '--run', 'later');

    const asked = await here.sluice('queues', 'drain', queue, '--delayed');
    const drained = await here.sluice('queues', 'drain', queue, '--yes');
    const rest = await here.sluice('queues', 'drain', queue, '--delayed', '--yes', '--json');

    expect(asked).toEqual({
      status: 1,
      stdout: '',
      stderr: `This would remove 7 jobs from queue ${queue}, for good. Add --yes to do it.\n`,
    });
    expect(drained).toEqual({ status: 0, stdout: `Removed 5 jobs from queue ${queue}.\n`, stderr: '' });
    expect(JSON.parse(rest.stdout)).toEqual({ queue, removed: 2 });
  });

  test('run their failures again, those that a filter picks', async () => {
    const queue = servedQueue();
    for (const failures of [1, 1, 0])
      await here.sluice(
        'enqueue',
        queue,
        'example.echo',
        '--data',
        `{"failures":${failures}}`,
        '--wait',
        '10s',
      );

    const none = await here.sluice('queues', 'retry', queue, '--code', 'timeout');
    const one = await here.sluice('queues', 'retry', queue, '--limit', '1', '--text', 'fail as asked');

    expect(none.stdout).toBe(`0 failed jobs of queue ${queue} run again.\n`);
    expect(one.stdout).toBe(`1 failed job of queue ${queue} runs again.\n`);
  });
});

describe('cache', () => {
  test('keeps a value as it was written, and tells it as it was stored', async () => {
    const value = '{"n": 12345678901234567890, "f": 1.0}';

    const stored = await here.sluice('cache', 'set', 'n/1', value, '--ttl', '60', '--tag', 'a', 'b');
    const got = await here.sluice('cache', 'get', 'n/1');
    const programs = await here.sluice('cache', 'get', 'n/1', '--json');

    expect(stored).toEqual({ status: 0, stdout: 'Stored n/1.\n', stderr: '' });
    expect(got).toEqual({ status: 0, stdout: `${value}\n`, stderr: '' });
    expect(programs.stdout).toBe(`{"key":"n/1","value":${value}}\n`);
  });

  test('takes keys that no path can carry', async () => {
    await here.sluice('cache', 'set', '..', '1');

    expect((await here.sluice('cache', 'get', '..')).stdout).toBe('1\n');
    expect((await here.sluice('cache', 'delete', '..')).stdout).toBe('Deleted ...\n');
  });

  test('keeps a text as it stands', async () => {
    await here.sluice('cache', 'set', 'motd', '--text', 'Good "morning"');
    await here.sluiceWith({ input: ['from', ' input'] }, 'cache', 'set', 'read', '--text', '-');

    expect((await here.sluice('cache', 'get', 'motd')).stdout).toBe('"Good \\"morning\\""\n');
    expect((await here.sluice('cache', 'get', 'motd', '--text')).stdout).toBe('Good "morning"\n');
    expect((await here.sluice('cache', 'get', 'read', '--text')).stdout).toBe('from input\n');
  });

  test('refuses what the conditions refuse', async () => {
    await here.sluice('cache', 'set', 'once', '1');

    const refused = await here.sluice('cache', 'set', 'once', '2', '--nx');

    expect(refused).toMatchObject({ status: 1, stdout: '', stderr: expect.stringContaining('key_exists') });
    expect((await here.sluice('cache', 'get', 'once')).stdout).toBe('1\n');
  });

  test('lists keys by prefix with the time they have left', async () => {
    for (const [key, ttl] of [
      ['list:a', '0'],
      ['list:b', '7200'],
    ] as const)
      await here.sluice('cache', 'set', key, '1', '--ttl', ttl);

    const listed = await here.sluice('cache', 'list', 'list:');
    const programs = await here.lines('cache', 'list', 'list:', '--limit', '1', '--all', '--json');
    const none = await here.sluice('cache', 'list', 'nothing:');

    expect(listed.stdout.trimEnd().split('\n').sort()).toEqual([
      'KEY     EXPIRES IN',
      'list:a  never',
      expect.stringMatching(/^list:b {2}(2h|1h)$/),
    ]);
    expect(programs.map(({ key }) => key).sort()).toEqual(['list:a', 'list:b']);
    expect(none.stdout).toBe('No keys in cache service redis.\n');
  });

  test('deletes keys, and tells of those that were not there', async () => {
    await here.sluice('cache', 'set', 'gone', '1');

    const missing = await here.sluice('cache', 'get', 'never');
    const deleted = await here.sluice('cache', 'delete', 'gone', 'never');
    const ignored = await here.sluice('cache', 'delete', 'never', '--ignore-missing', '--json');

    expect(missing).toEqual({
      status: 1,
      stdout: '',
      stderr: 'There is no key "never" in cache service redis.\n',
    });
    expect(deleted).toEqual({
      status: 1,
      stdout: 'Deleted gone.\n',
      stderr: 'In cache service redis is not there: "never".\n',
    });
    expect(ignored).toEqual({ status: 0, stdout: '{"key":"never","success":false}\n', stderr: '' });
  });

  test.for([
    { args: ['set', 'k', 'hello'], status: 2, says: 'A text has quotes of its own (\'"Ada"\')' },
    { args: ['set', 'k', '1', '--ttl', '-5'], status: 2, says: 'wanted a whole number' },
    { args: ['get', 'k', '--service', 'nowhere'], status: 1, says: 'sluice services list' },
    { args: ['get'], status: 2, says: "missing required argument 'key'" },
  ])('says what is wrong with $args', async ({ args, status, says }) => {
    const refused = await here.sluice('cache', ...args);

    expect(refused).toMatchObject({ status, stdout: '', stderr: expect.stringContaining(says) });
  });
});

describe('limits', () => {
  test('are listed and shown, with what a key has left, and reset', async () => {
    const made = await here.product.call('/system/limit', {
      method: 'POST',
      json: { name: 'mail', algorithm: 'fixed', limit: 5, period: 'hour' },
    });
    expect(made.status).toBe(201);
    await expect
      .poll(async () => (await here.sluice('limits', 'show', 'mail', 'customer-7')).status, {
        timeout: 5_000,
      })
      .toBe(0);
    await here.product.call('/limits/mail/consume', { method: 'POST', json: { key: 'customer-7', cost: 2 } });

    const listed = await here.sluice('limits');
    const shown = await here.sluice('limits', 'show', 'mail');
    const left = await here.sluice('limits', 'show', 'mail', 'customer-7');
    const reset = await here.sluice('limits', 'reset', 'mail', 'customer-7');
    const [after] = await here.lines('limits', 'show', 'mail', 'customer-7', '--json');

    expect(listed.stdout).toMatch(/^mail +fixed +5 +\S+ +who asks +system$/m);
    expect(shown.stdout).toMatch(/^algorithm +fixed$/m);
    expect(left.stdout).toMatch(/^next +allowed\nlimit +5\nremaining +3\n/m);
    expect(reset.stdout).toBe(
      'Policy mail has forgotten customer-7; processes may refuse it for 5 s more.\n',
    );
    expect(after).toMatchObject({ policy: 'mail', allowed: true, remaining: 5 });
  });

  test('that are not there are told, with where to look', async () => {
    const refused = await here.sluice('limits', 'show', 'nowhere', 'k');

    expect(refused).toMatchObject({ status: 1, stdout: '' });
    expect(refused.stderr).toMatch(/\(404 policy_unknown, .*\)\n {2}See which there are: sluice limits\n$/);
  });
});

describe('alerts', () => {
  test('are listed, tested and told of where they stand', async () => {
    const listed = await here.sluice('alerts');
    const nobody = await here.sluice('alerts', 'test', 'redis-memory');
    await here.product.call('/deliveries/endpoints/alerts', {
      method: 'PUT',
      json: { url: 'https://example.com/' },
    });
    const sent = await here.sluice('alerts', 'test', 'redis-memory');
    const firing = await here.sluice('alerts', 'firing', '--json');

    expect(listed.stdout).toMatch(/^oldest-age +oldest_age +\* +300 +60 s +alerts +built in$/m);
    expect(nobody.status).toBe(1);
    expect(nobody.stderr).toContain("there is no endpoint 'alerts'");
    expect(sent.stdout).toMatch(/^Sent as job j_\w+ of queue deliveries;/);
    expect(firing).toMatchObject({ status: 0 });
  });
});

describe('services', () => {
  test('are made, tried, listed, used and removed, and their password is told nowhere', async () => {
    const password = await here.file('wrong-password\n');
    const connection = ['--host', '127.0.0.1', '--port', String(here.openRedis.port)];

    const tried = await here.sluice('services', 'test', ...connection, '--json');
    const made = await here.sluice('services', 'create', 'orders', ...connection, '--default-ttl', '60');
    const stored = await here.sluice('services', 'test', 'orders');
    const locked = await here.sluice(
      'services',
      'create',
      'locked',
      ...connection,
      '--password',
      `@${password}`,
      '--json',
    );
    const listed = await here.sluice('services');
    await expect
      .poll(async () => (await here.sluice('cache', 'set', 'k', '1', '--service', 'orders')).status, {
        timeout: 5_000,
      })
      .toBe(0);
    const removed = await here.sluice('services', 'delete', 'orders', '--flush');

    expect(JSON.parse(tried.stdout)).toMatchObject({ reachable: true, fault: null });
    expect(made.stdout).toBe('Cache service orders is made; every server serves it within 2 s.\n');
    expect(stored).toMatchObject({ status: 0, stdout: expect.stringMatching(/^It can serve \(Redis \d/) });
    expect(JSON.parse(locked.stdout)).toMatchObject({ name: 'locked', config: { has_password: true } });
    expect(listed.stdout).toMatch(/^orders +cache_redis +ready +60m +system +orders$/m);
    expect(removed.stdout).toBe('Cache service orders is removed, and its values.\n');
    expect([locked, listed].map(({ stdout, stderr }) => stdout + stderr).join()).not.toContain(
      'wrong-password',
    );
  });

  test('that cannot be reached make status 1', async () => {
    const tried = await here.sluice('services', 'test', '--host', '127.0.0.1', '--port', '1');

    expect(tried).toMatchObject({ status: 1, stderr: 'It cannot serve: unavailable.\n' });
  });

  test.for([
    { args: ['create', 'x', '--password', 'secret-in-sight'], status: 2, says: 'can be seen by others' },
    { args: ['create', 'x', '--data', '[]'], status: 2, says: '--data wants an object' },
    { args: ['create', 'queues'], status: 1, says: 'record_invalid' },
    { args: ['delete', 'nowhere'], status: 1, says: 'record_unknown' },
    { args: ['test'], status: 2, says: 'Give the name of a service that is there, or --host' },
    { args: ['test', 'x', '--host', 'y'], status: 2, says: 'not both' },
  ])('says what is wrong with $args', async ({ args, status, says }) => {
    const refused = await here.sluice('services', ...args);

    expect(refused).toMatchObject({ status, stdout: '', stderr: expect.stringContaining(says) });
  });
});
