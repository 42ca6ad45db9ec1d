import { TEST_REDIS_URL, testRedis } from '@sluice/redis/testing';
import { PasswordCheck, Registry } from '@sluice/system';
import { expect, type TestContext, test } from 'vitest';
import { runProgram } from '../src/program.ts';
import { dataDirectory } from './sluice.ts';

async function setup(t: TestContext) {
  const redis = await testRedis(t);
  const directory = await dataDirectory(t);
  const accounts = async (args: string[], input = '') => {
    const out: string[] = [];
    const err: string[] = [];
    const status = await runProgram(['accounts', ...args, '--data-dir', directory], {
      variables: { REDIS_URL: process.env[TEST_REDIS_URL], REDIS_PREFIX: redis.prefix },
      stdin: (async function* () {
        yield Buffer.from(input);
      })(),
      out: (text) => void out.push(text),
      err: (text) => void err.push(text),
    });
    return { status, stdout: out.join(''), stderr: err.join('') };
  };
  /** Whether the account stands and has this password. */
  const opens = async (name: string, password: string) => {
    const record = await new Registry({ client: redis.client, keys: redis.keys }).read('account', name);
    const body = record?.body as { isActive: boolean; password: string } | undefined;
    return body?.isActive === true && (await new PasswordCheck().matches(password, body.password)) === true;
  };
  return { accounts, opens };
}

test('makes an account and shows its password once', async (t) => {
  const { accounts, opens } = await setup(t);

  const made = await accounts(['add', 'ada', '--role', 'admin']);
  const listed = await accounts(['list']);

  const password = made.stdout.trim().split('\n').at(-1) as string;
  expect(made).toMatchObject({ status: 0, stderr: '' });
  expect(password).toMatch(/^[\w-]{24}$/);
  expect(await opens('ada', password)).toBe(true);
  expect(listed.stdout).toMatch(/^NAME +ROLE +STATE +CREATED +CHANGED\nada +admin +active +/);
  expect(listed.stdout).not.toContain(password);
});

test('takes a password from standard input, changes, suspends and removes', async (t) => {
  const { accounts, opens } = await setup(t);

  const made = await accounts(
    ['add', 'bo', '--role', 'viewer', '--password-stdin', '--json'],
    'correct horse battery\n',
  );
  expect(JSON.parse(made.stdout)).toEqual({ name: 'bo', role: 'viewer' });
  expect(await opens('bo', 'correct horse battery')).toBe(true);

  const changed = await accounts(['set', 'bo', '--role', 'operator', '--new-password', '--json']);
  const { password } = JSON.parse(changed.stdout);
  expect([await opens('bo', 'correct horse battery'), await opens('bo', password)]).toEqual([false, true]);
  await accounts(['set', 'bo', '--suspend']);
  expect(await opens('bo', password)).toBe(false);
  expect(JSON.parse((await accounts(['list', '--json'])).stdout)).toMatchObject([
    { name: 'bo', role: 'operator', isActive: false },
  ]);
  await accounts(['set', 'bo', '--restore']);
  expect(await opens('bo', password)).toBe(true);
  expect((await accounts(['remove', 'bo'])).stdout).toBe("Account 'bo' is gone.\n");
  expect((await accounts(['list'])).stdout).toMatch(/^No accounts yet/);
});

test.for([
  { args: ['add', 'Ada', '--role', 'admin'], status: 1, says: 'name: is 1 to 64 small letters' },
  { args: ['add', 'ada'], status: 2, says: "required option '--role <role>' not specified" },
  { args: ['add', 'ada', '--role', 'root'], status: 2, says: 'Allowed choices are viewer, operator, admin' },
  { args: ['add', 'ada', '--role', 'admin', '--password-stdin'], status: 1, says: 'this one has 0' },
  { args: ['set', 'ada'], status: 1, says: 'Nothing to change' },
  { args: ['remove', 'ada'], status: 1, says: "There is no account 'ada'" },
])('answers $args with status $status and a sentence', async ({ args, status, says }, t) => {
  const { accounts } = await setup(t);

  expect(await accounts(args)).toMatchObject({ status, stdout: '', stderr: expect.stringContaining(says) });
});
