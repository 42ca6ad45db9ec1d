import { testRedis } from '@sluice/redis/testing';
import { expect, test } from 'vitest';
import { newAccount, passwordFault, recordedAccounts } from '../src/account-record.ts';
import { Book } from '../src/book.ts';
import { Registry } from '../src/registry.ts';
import { Trail } from '../src/trail.ts';

const BY = { author: { kind: 'account' as const, id: 'ada', label: 'ada' }, requestId: 'r-1' };

test('an account is made and changed like any record, and its password is told nowhere', async (t) => {
  const redis = await testRedis(t);
  const registry = new Registry({ client: redis.client, keys: redis.keys });
  const book = new Book({ registry, recorded: recordedAccounts(), configured: [] });
  const account = await newAccount({
    name: 'bo@example.org',
    role: 'viewer',
    password: 'correct horse battery',
  });

  await book.create([account], BY);
  await book.update('bo@example.org', (body) => ({ ...body, role: 'admin', isActive: false }), BY);

  expect(registry.list('account').map(({ body }) => body)).toEqual([
    { ...account, role: 'admin', isActive: false },
  ]);
  const { entries } = await new Trail({ client: redis.client, keys: redis.keys }).page();
  const name = 'bo@example.org';
  expect(entries.map(({ action, before, after, author }) => ({ action, before, after, author }))).toEqual([
    {
      action: 'account.update',
      before: { name, role: 'viewer', is_active: true },
      after: { name, role: 'admin', is_active: false },
      author: BY.author,
    },
    {
      action: 'account.create',
      before: null,
      after: { name, role: 'viewer', is_active: true },
      author: BY.author,
    },
  ]);
});

test.for(['', 'Ada', 'a b', '-a', 'a'.repeat(65), 'a\n', '<b>'])('nobody is called %j', async (name) => {
  const account = await newAccount({ name: 'ada', role: 'viewer', password: 'correct horse battery' });

  expect(recordedAccounts().read({ ...account, name })).toMatchObject({ issues: [{ path: 'name' }] });
});

test.for<[string, boolean]>([
  ['elevenchars', false],
  ['twelve chars', true],
  ['🔑'.repeat(11), false],
  ['x'.repeat(256), true],
  ['x'.repeat(257), false],
])('whether %s is a password: %s', ([password, isGood]) => {
  expect(passwordFault(password) === undefined).toBe(isGood);
});
