import { readdir } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { TEST_REDIS_URL, testRedis } from '@sluice/redis/testing';
import { Trail } from '@sluice/system';
import { expect, type TestContext, test } from 'vitest';
import { run } from './running-sluice.ts';
import { dataDirectory } from './sluice.ts';

test('makes a key and shows it once; the list tells everything but the key', async (t) => {
  const { keys } = await setup(t);

  const made = await keys('create', '--label', 'shop', '--scope', 'jobs:enqueue:mail', 'board');
  const listed = await keys('list');

  expect(made).toMatchObject({ status: 0, stderr: '' });
  const key = made.stdout.trim().split('\n').at(-1) as string;
  const [id] = /(?<=^Key )\w{12}/.exec(made.stdout) as RegExpExecArray;
  expect(key).toMatch(new RegExp(`^sk_${id}_[0-9A-Za-z]+_[0-9A-Za-z]+$`));
  expect(listed.stdout.split('\n')).toEqual([
    'ID            STATE  CREATED            LAST USED  EXPIRES  LABEL  SCOPES',
    expect.stringMatching(
      new RegExp(`^${id}  valid  \\S{17}  never      never    shop   jobs:enqueue:mail board$`),
    ),
    '',
  ]);
  expect(listed.stdout).not.toContain(key);
});

test('speaks JSON to programs', async (t) => {
  const { keys } = await setup(t);

  const made = JSON.parse(
    (await keys('create', '--label', 'ops', '--scope', '*', '--expires', '2h', '--json')).stdout,
  );
  const listed = JSON.parse((await keys('list', '--json')).stdout);

  const { key, ...record } = made;
  expect(key).toMatch(new RegExp(`^sk_${record.id}_`));
  expect(listed).toEqual(record);
  expect(record).toMatchObject({ label: 'ops', scopes: ['*'], origin: 'made', revoked_at: null });
  expect(Date.parse(record.expires_at) - Date.parse(record.created_at)).toBeGreaterThan(7_190_000);
});

test('changes, suspends and replaces a key', async (t) => {
  const { keys } = await setup(t);
  const { id } = JSON.parse((await keys('create', '--label', 'a', '--scope', '*', '--json')).stdout);

  const quota = '{"requests": {"limit": 9, "period": "day"}, "payload_bytes": 10}';
  const changed = await keys(
    ...['update', id, '--label', 'b', '--scope', 'board', '--expires', '2099-01-31', '--quota', quota],
  );
  const shown = await keys('show', id, '--json');
  const replaced = JSON.parse((await keys('rotate', id, '--overlap', '0s', '--json')).stdout);
  const old = await keys('show', id);
  const suspended = await keys('update', replaced.id, '--suspend', '--quota', 'null', '--json');
  const restored = await keys('update', replaced.id, '--restore');
  const nothing = await keys('update', replaced.id);

  expect(changed.stdout).toBe(`Key ${id} ('b') is changed: valid, until 2099-01-31T00:00Z.\n`);
  expect(JSON.parse(shown.stdout)).toMatchObject({
    label: 'b',
    scopes: ['board'],
    expires_at: '2099-01-31T00:00:00.000Z',
    quota: { requests: { limit: 9, period: 'day' }, payload_bytes: 10 },
    version: 2,
  });
  expect(replaced).toMatchObject({ label: 'b', key: expect.stringMatching(`^sk_${replaced.id}_`) });
  expect(old.stdout).toMatch(/^state +expired$/m);
  expect(old.stdout).toMatch(new RegExp(`^replaced by +${replaced.id}$`, 'm'));
  expect(JSON.parse(suspended.stdout)).toMatchObject({ is_active: false, quota: null });
  expect(restored.stdout).toContain('is changed: valid, until 2');
  expect(nothing).toMatchObject({ status: 2, stderr: expect.stringContaining('Say what changes') });
});

test('revokes a key by its id', async (t) => {
  const { keys } = await setup(t);
  const { id } = JSON.parse((await keys('create', '--label', 'gone', '--scope', '*', '--json')).stdout);

  const revoked = await keys('revoke', id);

  expect(revoked).toEqual({ status: 0, stdout: `Key ${id} ('gone') opens nothing any more.\n`, stderr: '' });
  expect((await keys('list')).stdout).toContain(`${id}  revoked`);
});

test('tells the trail who made and revoked a key', async (t) => {
  const { keys, redis } = await setup(t);
  const { id } = JSON.parse((await keys('create', '--label', 'gone', '--scope', '*', '--json')).stdout);
  await keys('revoke', id);

  const { entries } = await new Trail({ client: redis.client, keys: redis.keys }).page();

  const author = { kind: 'cli', id: null, label: userInfo().username };
  expect(entries).toMatchObject([
    { author, action: 'key.revoke', target: `key:${id}`, request_id: null },
    { author, action: 'key.create', target: `key:${id}`, before: null, after: { label: 'gone' } },
  ]);
});

test('says what is wrong with a scope and makes no key', async (t) => {
  const { keys } = await setup(t);

  const refused = await keys('create', '--label', 'x', '--scope', 'queue:write');

  expect(refused).toMatchObject({
    status: 1,
    stdout: '',
    stderr: expect.stringContaining("scope 'queue:write' names no area of cache, "),
  });
  expect((await keys('list')).stdout).toBe(
    'No keys yet. `npx sluice up` makes the first, `npx sluice keys create` makes more.\n',
  );
});

test.for([
  { args: ['revoke', 'aaaaaaaaaaaa'], status: 1, says: 'aaaaaaaaaaaa' },
  { args: ['revoke'], status: 2, says: "missing required argument 'id'" },
  { args: ['create', '--label', 'x'], status: 2, says: "required option '--scope <scope...>' not specified" },
  {
    args: ['create', '--label', 'x', '--scope', '*', '--expires', 'soon'],
    status: 2,
    says: 'wanted a duration such as 30d',
  },
  { args: ['list', '--key', 'sk_1'], status: 2, says: '--key is for an API: say with --url which.' },
  { args: ['list', '--url', 'http://localhost', '--data-dir', '.'], status: 2, says: 'cannot be used with' },
  { args: ['update', 'aaaaaaaaaaaa', '--suspend', '--restore'], status: 2, says: 'cannot be used with' },
  { args: ['update', 'aaaaaaaaaaaa', '--quota', '[]'], status: 2, says: '--quota wants an object' },
  { args: ['rotate', 'aaaaaaaaaaaa', '--overlap', '91d'], status: 2, says: '--overlap wants at most 90d' },
  { args: ['lst'], status: 2, says: 'Did you mean list?' },
])('answers $args with status $status and a sentence', async ({ args, status, says }, t) => {
  const { keys } = await setup(t);

  const refused = await keys(...args);

  expect(refused).toMatchObject({ status, stdout: '', stderr: expect.stringContaining(says) });
});

test('reports every fault of the environment at once, with status 2', async () => {
  const refused = await run(['keys', 'list'], { variables: { PORT: 'http', REDIS_DATABASE: '99' } });

  expect(refused).toMatchObject({ status: 2, stdout: '' });
  expect(refused.stderr).toMatch(/2 faults:\n.*REDIS_DATABASE: got '99'.*\n.*PORT: got 'http'/);
});

test('says within seconds that the Redis of the environment is away', async (t) => {
  const refused = await run(['keys', 'list', '--data-dir', await dataDirectory(t)], {
    variables: { REDIS_URL: 'redis://127.0.0.1:1' },
  });

  expect(refused).toMatchObject({
    status: 1,
    stdout: '',
    stderr: expect.stringMatching(/^Redis did not do it \(unavailable\)/),
  });
});

test('works in the folder of our own Redis while nothing runs, and leaves nothing running', async (t) => {
  const directory = await dataDirectory(t);
  const made = await run([
    'keys',
    'create',
    '--label',
    'a',
    '--scope',
    '*',
    '--json',
    '--data-dir',
    directory,
  ]);

  const listed = await run(['keys', 'list', '--json', '--data-dir', directory]);

  expect(JSON.parse(listed.stdout)).toMatchObject({ id: JSON.parse(made.stdout).id });
  expect((await readdir(`${directory}/redis`)).sort()).toEqual(['appendonlydir', 'server.json']);
});

/** The run's Redis, named by the environment, under a prefix of the test's own. */
async function setup(t: TestContext) {
  const redis = await testRedis(t);
  const variables = {
    REDIS_URL: process.env[TEST_REDIS_URL],
    REDIS_PREFIX: redis.prefix,
    SLUICE_DATA_DIR: await dataDirectory(t),
  };
  return { redis, keys: (...args: string[]) => run(['keys', ...args], { variables }) };
}
