import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type LeaseFacts, LeaseMint } from '../src/lease-token.ts';

const mint = new LeaseMint(Buffer.alloc(32, 1));
const facts: LeaseFacts = {
  queue: 'work',
  jobId: 'j_01',
  token: 'x'.repeat(22),
  attempt: 2,
  leaseMs: 30_000,
  holder: 'key-1',
};
const anyFacts: fc.Arbitrary<LeaseFacts> = fc.record({
  queue: fc.stringMatching(/^[A-Za-z0-9_-]{1,64}$/),
  jobId: fc.string({ unit: 'grapheme', minLength: 1, maxLength: 40 }),
  token: fc.base64String({ minLength: 1 }),
  attempt: fc.integer({ min: 1, max: 100 }),
  leaseMs: fc.integer({ min: 1_000, max: 43_200_000 }),
  holder: fc.string({ minLength: 1 }),
});

describe('a lease', () => {
  it('says what it was minted with, to its holder', () => {
    fc.assert(
      fc.property(anyFacts, (each) => {
        expect(mint.read(mint.mint(each), each.holder)).toEqual(each);
      }),
    );
  });

  it('fits a path as it is', () => {
    expect(mint.mint(facts)).toMatch(/^[\w-]{1,300}$/);
  });

  it('is refused when a single bit of it is another', () => {
    const bytes = Buffer.from(mint.mint(facts), 'base64url');
    for (let bit = 0; bit < bytes.length * 8; bit += 1) {
      const forged = Buffer.from(bytes);
      forged[bit >> 3] = (forged[bit >> 3] as number) ^ (1 << (bit & 7));

      expect(() => mint.read(forged.toString('base64url'), 'key-1')).toThrow('no lease of ours');
    }
  });

  it('is refused when a single character of it is another, or more or fewer are there', () => {
    const lease = mint.mint(facts);
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_+/= .';
    for (let at = 0; at < lease.length; at += 1) {
      for (const other of alphabet) {
        if (other === lease[at]) continue;
        expect(() => mint.read(lease.slice(0, at) + other + lease.slice(at + 1), 'key-1')).toThrow(
          'no lease of ours',
        );
      }
      expect(() => mint.read(lease.slice(0, at), 'key-1')).toThrow('no lease of ours');
    }
    for (const more of ['=', 'A', ' ', '\n', '.'])
      expect(() => mint.read(lease + more, 'key-1')).toThrow('no lease of ours');
  });

  it('is refused from another installation, as text of any kind, and from another key', () => {
    expect(() => new LeaseMint(randomBytes(32)).read(mint.mint(facts), 'key-1')).toThrow('no lease of ours');
    expect(() => mint.read(mint.mint(facts), 'key-2')).toThrow('taken with another key');
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.base64String(), fc.constantFrom('', '0')), (text) => {
        expect(() => mint.read(text, 'key-1')).toThrow('no lease of ours');
      }),
    );
  });
});
