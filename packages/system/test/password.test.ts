import { randomBytes, scryptSync } from 'node:crypto';
import { expect, test } from 'vitest';
import { PasswordCheck, sealPassword } from '../src/password.ts';

test('a sealed password proves right, in any spelling, and no other does', async () => {
  const check = new PasswordCheck();
  const sealed = await sealPassword('Zürich im Nebel');

  const answers = [
    await check.matches('Zürich im Nebel', sealed),
    await check.matches('Zu\u0308rich im Nebel', sealed),
    await check.matches('zürich im Nebel', sealed),
    await check.matches('', sealed),
  ];

  expect(answers).toEqual([true, true, false, false]);
  expect(sealed).toMatch(/^scrypt\$32768\$8\$3\$[\w-]{22}\$[\w-]{43}$/);
  expect(await sealPassword('Zürich im Nebel')).not.toBe(sealed);
});

test.for(['', 'scrypt$1$1$1$$', 'plain', `scrypt$32768$8$3$${'A'.repeat(22)}$${'A'.repeat(43)}`])(
  'nothing opens what is no seal of ours: %s',
  async (sealed) => {
    expect(await new PasswordCheck().matches('correct horse battery', sealed)).toBe(false);
  },
);

test('nobody takes as long as somebody, and is never right', async () => {
  const check = new PasswordCheck();
  const sealed = await sealPassword('correct horse battery');
  const time = async (work: () => Promise<unknown>) => {
    const startedAt = performance.now();
    await work();
    return performance.now() - startedAt;
  };

  const somebody = await time(() => check.matches('wrong', sealed));
  const nobody = await time(() => check.matches('wrong', undefined));

  expect(nobody / somebody).toBeGreaterThan(0.3);
  expect(await check.matches('A'.repeat(43), undefined)).toBe(false);
});

test('looks at a bounded number of passwords at once, and tells the rest to come again', async () => {
  const check = new PasswordCheck();
  const salt = randomBytes(16);
  const hash = scryptSync('correct horse battery', salt, 32, { N: 1_024, r: 8, p: 1 });
  const sealed = `scrypt$1024$8$1$${salt.toString('base64url')}$${hash.toString('base64url')}`;

  const answers = await Promise.all(
    Array.from({ length: 30 }, () => check.matches('correct horse battery', sealed)),
  );

  expect(answers.filter((answer) => answer === true)).toHaveLength(22);
  expect(answers.filter((answer) => answer === 'busy')).toHaveLength(8);
  expect(await check.matches('correct horse battery', sealed)).toBe(true);
});
