import { expect, test } from 'vitest';
import { HIDDEN, MAX_SEARCHED_MEMBERS, MAX_SHOWN_CHARACTERS, Redaction } from '../../src/board/redaction.ts';
import { DEFAULT_RULES } from '../../src/board/redaction-rules.ts';

const redaction = new Redaction();

test('masks members whose name says that they are secret, at any depth, and keeps the shape', () => {
  const data = {
    user: 'ada',
    Password: 'hunter2',
    nested: [{ apiKey: 'k-123', count: 3 }, { 'X-Auth-Token': ['a1b2c3', 'd4e5f6'] }],
    card: { number: 4111111111111111, holder: 'Ada' },
    nothing: null,
  };

  expect(redaction.of({ data }).value('data')).toEqual({
    user: 'ada',
    Password: '[redacted]',
    nested: [{ apiKey: '[redacted]', count: 3 }, { 'X-Auth-Token': '[redacted]' }],
    card: '[redacted]',
    nothing: null,
  });
});

test('masks members at configured places', () => {
  const rules = { ...DEFAULT_RULES, paths: ['data.customer.iban', 'data.rows.*.phone', 'logs'] };
  const data = {
    customer: { iban: 'DE89 3704', city: 'Bonn' },
    rows: [{ phone: '0228 11', n: 1 }],
    iban: 'shown',
  };

  const shown = new Redaction(rules).of({ data, progress: { customer: { iban: 'shown too' } } });

  expect(shown.value('data')).toEqual({
    customer: { iban: '[redacted]', city: 'Bonn' },
    rows: [{ phone: '[redacted]', n: 1 }],
    iban: 'shown',
  });
  expect(shown.value('progress')).toEqual({ customer: { iban: 'shown too' } });
  expect(shown.text('logs', 'a line')).toBe('[redacted]');
  expect(shown.text('failedReason', 'no account DE89 3704')).toBe('no account [redacted]');
});

test('masks in texts what was masked under a name, however it is spelled there', () => {
  const shown = redaction.of({ data: { password: 'pä"ss w/rd', pin: { secret: 90210 } } });

  const text = 'tried pä"ss w/rd, then "pä\\"ss w/rd", then ?p=p%C3%A4%22ss%20w%2Frd, then 90210';

  expect(shown.text('failedReason', text)).toBe(
    'tried [redacted], then "[redacted]", then ?p=[redacted], then [redacted]',
  );
  expect(redaction.of({ data: { password: 'abcd', note: 'is abcd', abcd: 1 } }).value('data')).toEqual({
    password: '[redacted]',
    note: 'is [redacted]',
    '[redacted]': 1,
  });
});

test.each([
  ['password=canary-1', 'password=[redacted]'],
  ['db_password: canary-1, retry', 'db_password: [redacted], retry'],
  ['{"client_secret":"can\\"ary-1","b":2}', '{"client_secret":[redacted],"b":2}'],
  ['"{\\"token\\":\\"canary-1\\",\\"b\\":2}"', '"{\\"token\\":[redacted],\\"b\\":2}"'],
  ["{ apiKey: 'canary-1', b: 2 }", '{ apiKey: [redacted], b: 2 }'],
  ['Authorization: Bearer canary-1.abc', 'Authorization: [redacted]'],
  ['sent Bearer canary-1.abc along', 'sent Bearer [redacted] along'],
  ['curl -u x https://ada:canary-1@example.org/p', 'curl -u x https://[redacted]@example.org/p'],
  ['redis://:canary-1@10.0.0.1:6379', 'redis://[redacted]@10.0.0.1:6379'],
  ['key sk_canary1canary1canary1 used', 'key [redacted] used'],
  ['eyJhbGciOiJI.eyJzdWIiOiIx.canary-1', '[redacted]'],
  ['-----BEGIN RSA PRIVATE KEY-----\ncanary-1\n-----END RSA PRIVATE KEY-----', '[redacted]'],
  ['Set-Cookie: sid=canary-1; Path=/', 'Set-Cookie: [redacted]; Path=/'],
  ['    at login (/app/auth.js:10:5)', '    at login (/app/auth.js:10:5)'],
  ['no value for key foo', 'no value for key foo'],
])('reads %j as %j', (text, shown) => {
  expect(redaction.of({}).text('failedReason', text)).toBe(shown);
});

test('makes visible what would turn or hide the text around it', () => {
  const shown = redaction.of({ data: { name: 'a\u202eb', 'k\u0000': '\u001b[31m' } });

  expect(shown.text('logs', 'tab\t line\n esc\u001b[0m rlo\u202e')).toBe(
    'tab\t line\n esc\\u001b[0m rlo\\u202e',
  );
  expect(shown.value('data')).toEqual({ name: 'a\\u202eb', 'k\\u0000': '\\u001b[31m' });
});

test('cuts what is long and says how much is missing', () => {
  const long = 'x'.repeat(5_000);
  const list = Array.from({ length: 5_000 }, (_, index) => index);

  expect(redaction.of({}).text('logs', long)).toBe(
    `${'x'.repeat(MAX_SHOWN_CHARACTERS)}… [2952 more characters]`,
  );
  const shown = redaction.of({ data: { long, list, after: 1 } }).value('data');
  expect(JSON.stringify(shown).length).toBeLessThan(MAX_SHOWN_CHARACTERS + 200);
  expect(redaction.of({ data: list }).value('data')).toContain('… [4745 more]');
});

test('tells no part of a secret that begins before the cut and ends behind it', () => {
  for (const length of [20, 1_000, 3_000]) {
    const secret = 'S'.repeat(length);
    const text = `${'x'.repeat(MAX_SHOWN_CHARACTERS - 5)}${secret} and more`;

    expect(redaction.of({ data: { secret } }).text('logs', text), String(length)).not.toContain('S');
  }
});

test('shows no value of a payload that is too large to be searched', () => {
  const data = { small: 'value', many: Array.from({ length: MAX_SEARCHED_MEMBERS }, () => 0) };

  const shown = redaction.of({ data, returnvalue: { ok: true, password: 'x' } });

  expect(shown.value('returnvalue')).toEqual({ ok: HIDDEN, password: '[redacted]' });
  expect(shown.text('failedReason', 'quotes something')).toBe(HIDDEN);
});

test('survives whatever JSON can hold', () => {
  const deep = JSON.parse(`${'['.repeat(60_000)}1${']'.repeat(60_000)}`);
  const proto = JSON.parse('{"__proto__":{"polluted":true},"constructor":1,"\\ud800":"\\udfff","":""}');

  expect(JSON.stringify(redaction.of({ data: deep }).value('data')).length).toBeLessThan(10_000);
  expect(JSON.stringify(redaction.of({ data: proto }).value('data'))).toBe(
    '{"__proto__":{"polluted":true},"constructor":1,"\\ud800":"\\udfff","":""}',
  );
  expect({}).not.toHaveProperty('polluted');
});

test('reads hostile texts in a time that grows with their length only', () => {
  const texts = [
    'pass',
    'key="\\',
    'token:',
    '://a',
    'eyJaaaaaaaaa.',
    '-----BEGIN PRIVATE KEY-----',
    'bearer  ',
    '\\"',
  ];
  const startedAt = performance.now();

  for (const text of texts) redaction.of({}).text('logs', text.repeat(200_000));

  expect(performance.now() - startedAt).toBeLessThan(500);
});
