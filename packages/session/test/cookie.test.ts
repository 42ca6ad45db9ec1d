import { randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import { SessionCookie } from '../src/cookie.ts';
import { KeyRing } from '../src/key-ring.ts';
import { TokenMint } from '../src/token.ts';

const [first, second, third] = [randomBytes(32), randomBytes(32), randomBytes(32)] as const;
const mint = new TokenMint(randomBytes(32));
const newToken = () => mint.mint(mint.userTag('ada')).token;
const sent = (setCookie: string) => setCookie.slice(0, setCookie.indexOf(';'));

test('the cookie belongs to this host alone, over HTTPS, out of reach of scripts', () => {
  const token = newToken();

  const setCookie = new SessionCookie({ keys: [first] }).write(token, 3_600_000);

  expect(setCookie).toMatch(
    /^__Host-id=[\w-]{80}\.[\w-]{43}; Path=\/; HttpOnly; SameSite=Lax; Secure; Max-Age=3600$/,
  );
  expect(setCookie).toContain(token);
});

test('the token is read back among other cookies', () => {
  const cookie = new SessionCookie({ keys: [first] });
  const token = newToken();

  const header = `a=1; ${sent(cookie.write(token, 1_000))} ;b="2"`;

  expect(cookie.read(header)).toEqual({ token, isStale: false });
});

test('a cookie that somebody else signed, or nobody, is no cookie', () => {
  const cookie = new SessionCookie({ keys: [first] });
  const other = new SessionCookie({ keys: [second] });
  const token = newToken();
  const value = sent(cookie.write(token, 1_000));
  const withAnotherToken = value.replace(token, newToken());
  const withSpareBits = value.replace(/.$/, (last) => String.fromCharCode(last.charCodeAt(0) + 1));

  const headers = [
    undefined,
    '',
    'id=1',
    `__Host-id=${token}`,
    `__Host-id=${token}.`,
    sent(other.write(token, 1_000)),
    withAnotherToken,
    withSpareBits,
    value.slice(0, -1),
    `${value}A`,
    value.replace('__Host-id', '__host-id'),
  ];

  for (const header of headers) expect(cookie.read(header), header).toBeUndefined();
});

test('a cookie planted beside the real one does not hide it', () => {
  const cookie = new SessionCookie({ keys: [first] });
  const token = newToken();

  const header = `__Host-id=planted; ${sent(cookie.write(token, 1_000))}`;

  expect(cookie.read(header)?.token).toBe(token);
});

test('a key is replaced in service: the new one signs, the old one still verifies, a dropped one does not', () => {
  const token = newToken();
  const before = new SessionCookie({ keys: [first] });
  const during = new SessionCookie({ keys: [second, first] });
  const after = new SessionCookie({ keys: [third, second] });

  const old = sent(before.write(token, 1_000));
  const renewed = sent(during.write(token, 1_000));

  expect(during.read(old)).toEqual({ token, isStale: true });
  expect(during.read(renewed)).toEqual({ token, isStale: false });
  expect(after.read(old)).toBeUndefined();
  expect(after.read(renewed)).toEqual({ token, isStale: true });
});

test('a MAC of one cookie is none of another, by name or purpose', () => {
  const ring = new KeyRing([first]);
  const token = newToken();

  const staging = new SessionCookie({ keys: [first], name: 'staging' });
  const asCsrf = `__Host-id=${token}.${ring.sign('csrf', token)}`;

  const cookie = new SessionCookie({ keys: [first] });
  expect(cookie.read(sent(staging.write(token, 1_000)).replace('staging', 'id'))).toBeUndefined();
  expect(cookie.read(asCsrf)).toBeUndefined();
});

test('development over plain HTTP has a plain name', () => {
  const cookie = new SessionCookie({ keys: [first], isSecure: false, sameSite: 'Strict', name: 'dev' });

  expect(cookie.write(newToken(), 500)).toMatch(
    /^dev=[\w.-]+; Path=\/; HttpOnly; SameSite=Strict; Max-Age=1$/,
  );
  expect(cookie.clear()).toBe('dev=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0');
});

test('weak keys and broken names are refused at construction', () => {
  expect(() => new SessionCookie({ keys: [] })).toThrow(TypeError);
  expect(() => new SessionCookie({ keys: [first, randomBytes(31)] })).toThrow(TypeError);
  expect(() => new SessionCookie({ keys: [first], name: 'a b' })).toThrow(TypeError);
  expect(() => new TokenMint(randomBytes(31))).toThrow(TypeError);
});

test('a cookie of a part of the host leaves the other pages alone', () => {
  const setCookie = new SessionCookie({ keys: [first], path: '/admin' }).write(newToken(), 1_000);

  expect(setCookie).toMatch(/^__Secure-id=[\w.-]+; Path=\/admin; HttpOnly; SameSite=Lax; Secure; Max-Age=1$/);
  expect(() => new SessionCookie({ keys: [first], path: '/a; Domain=x' })).toThrow(TypeError);
});
