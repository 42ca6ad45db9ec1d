import { randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { Csrf } from '../src/csrf.ts';

const SESSION = 'A'.repeat(22);
const keys = [randomBytes(32)];
const csrf = new Csrf({ keys, trustedOrigins: ['https://app.example.com'] });

/** What a browser sends from a page that was given a token. */
function sent(headers: Record<string, string | undefined>, method = 'POST') {
  const token = csrf.issue(SESSION);
  const all: Record<string, string | undefined> = {
    host: 'api.example.com',
    'x-csrf-token': token,
    cookie: `a=1; __Host-csrf=${token}`,
    ...headers,
  };
  return { method, header: (name: string) => all[name] };
}

describe('what the browser says of the origin', () => {
  const cases: [headers: Record<string, string | undefined>, refusal: string | undefined][] = [
    [{ 'sec-fetch-site': 'same-origin' }, undefined],
    [{ 'sec-fetch-site': 'none' }, undefined],
    [{ 'sec-fetch-site': 'cross-site' }, 'cross_site'],
    [{ 'sec-fetch-site': 'same-site' }, 'cross_site'],
    [{ 'sec-fetch-site': 'nonsense' }, 'cross_site'],
    [{ 'sec-fetch-site': '' }, 'cross_site'],
    [{ 'sec-fetch-site': 'same-site', origin: 'https://app.example.com' }, undefined],
    [{ 'sec-fetch-site': 'cross-site', origin: 'https://api.example.com' }, 'cross_site'],
    [{ origin: 'https://api.example.com' }, undefined],
    [{ origin: 'http://api.example.com' }, undefined],
    [{ origin: 'https://app.example.com' }, undefined],
    [{ origin: 'http://app.example.com' }, 'origin_untrusted'],
    [{ origin: 'https://app.example.com.evil.test' }, 'origin_untrusted'],
    [{ origin: 'https://evil.test/api.example.com' }, 'origin_untrusted'],
    [{ origin: 'https://api.example.com:8443' }, 'origin_untrusted'],
    [{ origin: 'null' }, 'origin_untrusted'],
    [{ origin: 'null', host: undefined }, 'origin_untrusted'],
    [{ origin: '' }, 'origin_untrusted'],
    [{}, undefined],
  ];
  for (const [headers, refusal] of cases) {
    test(`${JSON.stringify(headers)} is ${refusal ?? 'accepted'}`, () => {
      expect(csrf.refusal(sent(headers), SESSION)).toBe(refusal);
    });
  }
});

describe('the double submit', () => {
  const other = new Csrf({ keys: [randomBytes(32)] });
  const ofAnother = csrf.issue('B'.repeat(22));
  const foreign = other.issue(SESSION);
  const valid = csrf.issue(SESSION);
  const cases: [what: string, headers: Record<string, string | undefined>, refusal: string][] = [
    ['no header', { 'x-csrf-token': undefined }, 'token_missing'],
    ['no cookie', { cookie: undefined }, 'token_missing'],
    ['header and cookie differ', { 'x-csrf-token': valid }, 'token_mismatch'],
    [
      'of another session',
      { 'x-csrf-token': ofAnother, cookie: `__Host-csrf=${ofAnother}` },
      'token_invalid',
    ],
    ['signed by another', { 'x-csrf-token': foreign, cookie: `__Host-csrf=${foreign}` }, 'token_invalid'],
    ['planted by a sibling host', { 'x-csrf-token': 'x', cookie: '__Host-csrf=x' }, 'token_invalid'],
    [
      'cut short',
      { 'x-csrf-token': valid.slice(1), cookie: `__Host-csrf=${valid.slice(1)}` },
      'token_invalid',
    ],
  ];
  for (const [what, headers, refusal] of cases) {
    test(`${what}: ${refusal}`, () => {
      expect(csrf.refusal(sent(headers), SESSION)).toBe(refusal);
    });
  }

  test('a token outlives the replacement of its key for as long as the old key is in the ring', () => {
    const replaced = new Csrf({ keys: [randomBytes(32), ...keys] });

    expect(replaced.refusal(sent({}), SESSION)).toBeUndefined();
  });

  test('each token is another', () => {
    expect(csrf.issue(SESSION)).not.toBe(csrf.issue(SESSION));
  });
});

test('methods that change nothing need no token, others do, whatever their spelling', () => {
  const bare = (method: string) => ({ method, header: () => undefined });

  const refused = ['GET', 'head', 'OPTIONS', 'TRACE', 'POST', 'put', 'PATCH', 'DELETE', 'BREW', ''].filter(
    (method) => csrf.refusal(bare(method), SESSION) !== undefined,
  );

  expect(refused).toEqual(['POST', 'put', 'PATCH', 'DELETE', 'BREW', '']);
});

test('an origin that is none is refused at construction', () => {
  for (const origin of ['app.example.com', 'https://app.example.com/', '*', 'null']) {
    expect(() => new Csrf({ keys, trustedOrigins: [origin] }), origin).toThrow(TypeError);
  }
});
