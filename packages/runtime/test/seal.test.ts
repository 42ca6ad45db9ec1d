import { randomBytes } from 'node:crypto';
import { expect, it } from 'vitest';
import { sealFor } from '../src/index.ts';

const key = randomBytes(32);
const place = 'service:orders:password';

it('opens what it sealed, whatever the text', () => {
  const { seal, open } = sealFor(key, place);
  for (const text of ['', 'hunter2', 'é\u{1f511}\n\0', 'x'.repeat(100_000)])
    expect(open(seal(text))).toBe(text);
});

it('never seals the same text the same way, nor shows it', () => {
  const { seal } = sealFor(key, place);
  const sealed = [seal('hunter2'), seal('hunter2')];
  expect(sealed[0]).not.toBe(sealed[1]);
  expect(Buffer.from(sealed[0]?.slice(3) ?? '', 'base64url').toString('latin1')).not.toContain('hunter2');
});

it('opens nothing of another key, another place, or with one bit changed', () => {
  const { seal, open } = sealFor(key, place);
  const sealed = seal('hunter2');
  const refused = /does not open with this master secret/;
  expect(() => sealFor(randomBytes(32), place).open(sealed)).toThrow(refused);
  expect(() => sealFor(key, 'service:other:password').open(sealed)).toThrow(refused);
  const bytes = Buffer.from(sealed.slice(3), 'base64url');
  for (let at = 0; at < bytes.length; at += 1) {
    const changed = Buffer.from(bytes);
    changed[at] = (changed[at] as number) ^ 1;
    expect(() => open(`v1.${changed.toString('base64url')}`)).toThrow(refused);
  }
});

it('refuses what was never sealed, and a tag cut short', () => {
  const { seal, open } = sealFor(key, place);
  for (const text of ['', 'v1.', 'v2.abc', 'hunter2', seal('').slice(0, 20)])
    expect(() => open(text)).toThrow(TypeError);
});
