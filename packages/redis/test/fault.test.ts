import { type RedisFault, redisFault } from '@sluice/redis';
import { testServer } from '@sluice/redis/testing';
import { describe, expect, test } from 'vitest';
import { untilReady } from '../src/connect.ts';

const NOT_ATTEMPTED = 'not_attempted';

describe('every refusal Redis knows has a kind', () => {
  const refusals: [string, RedisFault['kind']][] = [
    ['NOAUTH Authentication required.', 'auth'],
    ['WRONGPASS invalid username-password pair or user is disabled.', 'auth'],
    ["NOPERM this user has no permissions to run the 'get' command", 'auth'],
    ['NOPERM No permissions to access a key', 'auth'],
    [
      "ERR The user executing the script can't run this command or subcommand script: 8f2, on @user_script:1.",
      'auth',
    ],
    [
      "ERR The user executing the script can't access at least one of the keys mentioned in the command arguments script: 8f2",
      'auth',
    ],
    ['ERR ACL failure in script: No permissions to access a key script: a2e, on @user_script:1.', 'auth'],
    [
      "ERR ACL failure in script: User default has no permissions to run the 'incr' command script: 056, on @user_script:1.",
      'auth',
    ],
    ['ERR invalid password', 'auth'],
    [
      'ERR AUTH <password> called without any password configured for the default user. Are you sure?',
      'auth',
    ],
    ["READONLY You can't write against a read only replica.", 'readonly'],
    ["READONLY You can't write against a read only replica. script: 8f2, on @user_script:1.", 'readonly'],
    [
      'ERR Error running script (call to f_8f2): @user_script:1: -READONLY You can not write against a read only replica.',
      'readonly',
    ],
    [
      'MISCONF Redis is configured to save RDB snapshots, but it is currently unable to persist to disk.',
      'readonly',
    ],
    ['NOREPLICAS Not enough good replicas to write.', 'readonly'],
    ['LOADING Redis is loading the dataset in memory', 'loading'],
    ["OOM command not allowed when used memory > 'maxmemory'.", 'oom'],
    ["-OOM command not allowed when used memory > 'maxmemory'. script: 8f2, on @user_script:1.", 'oom'],
    ['BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.', 'busy'],
    ['MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to no.', 'unavailable'],
    ['CLUSTERDOWN The cluster is down', 'unavailable'],
    ['CLUSTERDOWN Hash slot not served', 'unavailable'],
    ['TRYAGAIN Multiple keys request during rehashing of slot', 'unavailable'],
    ['ERR max number of clients reached', 'unavailable'],
    ['Too many Cluster redirections. Last error: ReplyError: MOVED 3999 127.0.0.1:6381', 'unavailable'],
  ];
  test.each(refusals)('%s', (message, kind) => {
    expect(redisFault(new Error(message))).toEqual({ kind, outcome: NOT_ATTEMPTED });
  });
});

describe('a command that never left has not been attempted', () => {
  const errors: [string, string | undefined][] = [
    ["Stream isn't writeable and enableOfflineQueue options is false", undefined],
    ["Cluster isn't ready and enableOfflineQueue options is false", undefined],
    ['connect ECONNREFUSED 127.0.0.1:6379', 'ECONNREFUSED'],
    ['getaddrinfo ENOTFOUND redis.internal', 'ENOTFOUND'],
    ['getaddrinfo EAI_AGAIN redis.internal', 'EAI_AGAIN'],
    ['connect EHOSTUNREACH 10.0.0.9:6379', 'EHOSTUNREACH'],
    ['connect ENETUNREACH 10.0.0.9:6379', 'ENETUNREACH'],
    ['', 'ECONNREFUSED'],
    ['All sentinels are unreachable. Retrying from scratch after 10ms.', undefined],
    ['Failed to refresh slots cache.', undefined],
    ['None of startup nodes is available', undefined],
  ];
  test.each(errors)('%s %s', (message, code) => {
    const error = Object.assign(new Error(message), code === undefined ? {} : { code });

    expect(redisFault(error)).toEqual({ kind: 'unavailable', outcome: NOT_ATTEMPTED });
  });
});

describe('a command whose answer did not come has an unknown outcome', () => {
  test.each([
    'Command timed out',
    'Connection is closed.',
    'Reached the max retries per request limit (which is 0). Refer to "maxRetriesPerRequest" option for details.',
    'Command aborted due to connection close',
    'read ECONNRESET',
    'write EPIPE',
    'read ETIMEDOUT',
    "Socket timeout. Expecting data, but didn't receive any in 5000ms.",
    'not answered within 1000 ms',
    'Redis not answered within 1000 ms',
  ])('%s', (message) => {
    expect(redisFault(new Error(message))).toEqual({ kind: 'unavailable', outcome: 'unknown' });
  });
});

describe('what is not the doing of Redis is no fault of it', () => {
  test.each([
    new Error('WRONGTYPE Operation against a key holding the wrong kind of value'),
    new Error('BUSYGROUP Consumer Group name already exists'),
    new Error('BUSYKEY Target key name already exists.'),
    new Error('ERR value is not an integer or out of range'),
    new TypeError("Cannot read properties of undefined (reading 'x')"),
    'Connection is closed.',
    undefined,
    null,
    { message: 'Command timed out' },
  ])('%s', (error) => {
    expect(redisFault(error)).toBeUndefined();
  });
});

test('looks for the reason behind an error', () => {
  const inner = new Error('NOAUTH Authentication required.');

  expect(redisFault(new Error('could not enqueue', { cause: inner }))).toEqual({
    kind: 'auth',
    outcome: NOT_ATTEMPTED,
  });
  expect(redisFault(Object.assign(new Error('cluster'), { lastNodeError: inner }))).toEqual({
    kind: 'auth',
    outcome: NOT_ATTEMPTED,
  });
});

test('survives an error that is its own cause', () => {
  const error = new Error('strange');
  error.cause = error;

  expect(redisFault(error)).toBeUndefined();
});

describe('a real server says what the table says', () => {
  test('a missing password', async (t) => {
    const server = await testServer(t, { isOpen: true, settings: ['requirepass wanted', 'save ""'] });
    const client = server.connect('worker');
    const error = await new Promise((resolve) => client.once('error', resolve));

    expect(redisFault(error)).toEqual({ kind: 'auth', outcome: NOT_ATTEMPTED });
  });

  test('memory that is full', async (t) => {
    const server = await testServer(t, {
      isAnyKey: true,
      settings: ['maxmemory 100kb', 'maxmemory-policy noeviction', 'save ""'],
    });
    const client = server.connect('request');
    await untilReady(client, 5_000);

    const plain = await client.set('key', 'x'.repeat(100)).catch((error: unknown) => error);
    const script = await client
      .eval("return redis.call('SET', KEYS[1], 'x')", 1, 'key')
      .catch((error: unknown) => error);

    expect(redisFault(plain)).toEqual({ kind: 'oom', outcome: NOT_ATTEMPTED });
    expect(redisFault(script)).toEqual({ kind: 'oom', outcome: NOT_ATTEMPTED });
  });

  test('a script that does not end', async (t) => {
    const server = await testServer(t, { isAnyKey: true, settings: ['busy-reply-threshold 50', 'save ""'] });
    const [busy, other] = [server.connect('worker'), server.connect('request')];
    await Promise.all([untilReady(busy, 5_000), untilReady(other, 5_000)]);

    const endless = busy.eval('while true do end', 0).catch((error: unknown) => error);
    await expect
      .poll(async () => redisFault(await other.get('key').catch((error: unknown) => error)), {
        timeout: 5_000,
      })
      .toEqual({ kind: 'busy', outcome: NOT_ATTEMPTED });
    await other.script('KILL');
    await endless;
  });

  test('a user who may not', async (t) => {
    const server = await testServer(t, {
      isOpen: true,
      settings: ['user default on nopass ~allowed:* +@all -flushall', 'save ""'],
    });
    const client = server.connect('request');
    await untilReady(client, 5_000);

    const command = await client.call('FLUSHALL').catch((error: unknown) => error);
    const key = await client.get('other').catch((error: unknown) => error);
    const script = await client.eval("return redis.call('GET', 'other')", 0).catch((error: unknown) => error);

    for (const error of [command, key, script])
      expect(redisFault(error)).toEqual({ kind: 'auth', outcome: NOT_ATTEMPTED });
  });

  test('a replica', async (t) => {
    const server = await testServer(t, { isAnyKey: true, settings: ['replicaof 127.0.0.1 1', 'save ""'] });
    const client = server.connect('request');
    await untilReady(client, 5_000);

    const error = await client.set('key', 'x').catch((thrown: unknown) => thrown);

    expect(redisFault(error)?.kind).toBe('readonly');
  });
});
