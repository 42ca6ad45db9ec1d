import { validateHeaderName, validateHeaderValue } from 'node:http';
import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import {
  endpointSchema,
  headersSchema,
  newDeliverySchema,
  targetSchema,
  urlFault,
  urlSchema,
} from '../src/schemas.ts';

const URL_ = 'https://example.com/hook';
const accepts = (schema: { safeParse(value: unknown): { success: boolean } }, value: unknown) =>
  schema.safeParse(value).success;

describe('headers', () => {
  it('that are accepted are such as Node can send, none of them about the connection or the signature', () => {
    const text = fc.oneof(
      fc.string({ maxLength: 20 }),
      fc.string({ unit: 'binary', maxLength: 20 }),
      fc.stringMatching(/^[A-Za-z-]{1,20}$/),
      fc.constantFrom(
        'Host',
        'hOST',
        'TE',
        'te ',
        'Webhook-Id',
        'proxy-x',
        'X-Forwarded-For',
        'a\r\nb: c',
        'é',
      ),
    );
    let accepted = 0;

    fc.assert(
      fc.property(fc.dictionary(text, text, { maxKeys: 3, noNullPrototype: true }), (headers) => {
        // As they are sent: a member `__proto__` is none of them.
        const { data } = headersSchema.safeParse(headers);
        if (!data) return;
        accepted += 1;
        for (const [name, value] of Object.entries(data)) {
          validateHeaderName(name);
          validateHeaderValue(name, value);
          expect(value).not.toMatch(/[\r\n\0]/);
          expect(name).not.toMatch(
            /^(host|content-length|transfer-encoding|connection|te|upgrade|webhook-.*|proxy-.*|x-forwarded-.*|sluice-.*)$/i,
          );
        }
      }),
      { numRuns: 20_000 },
    );

    expect(accepted).toBeGreaterThan(1_000);
  });

  it('are 32 at most, and 8 KiB', () => {
    const many = (count: number) =>
      Object.fromEntries(Array.from({ length: count }, (_, n) => [`x-${n}`, '']));

    expect([many(32), many(33)].map((headers) => accepts(headersSchema, headers))).toEqual([true, false]);
    expect(accepts(headersSchema, { x: 'y'.repeat(8_191) })).toBe(true);
    expect(accepts(headersSchema, { x: 'y'.repeat(8_192) })).toBe(false);
  });
});

test('a URL that is accepted is http or https, without credentials, and nothing the parser would drop', () => {
  const parts = fc.constantFrom(
    ...['http', 'https', 'ftp', ':', '//', '/', '\\', '@', '#', '?', '%', '.', '[', ']', '::1', 'user:pass@'],
    ...['example.com', '127.0.0.1', '\t', '\n', ' ', 'é', '\ud800', '①②⑦', '0x7f.1', ':80', ':0'],
  );
  fc.assert(
    fc.property(fc.array(parts, { maxLength: 8 }), (pieces) => {
      const text = pieces.join('');
      if (urlFault(text) !== undefined) return;
      const url = new URL(text);

      expect(['http:', 'https:']).toContain(url.protocol);
      expect(url.username + url.password).toBe('');
      expect(url.hostname).not.toBe('');
      expect(text).not.toMatch(/[\s\\]/);
    }),
    { numRuns: 20_000 },
  );
  expect(accepts(urlSchema, URL_)).toBe(true);
});

test.each([
  [{ url: URL_ }, true],
  [{ url: '/below', endpoint: 'a' }, true],
  [{ endpoint: 'a' }, true],
  [{}, false],
  [{ url: URL_, method: 'purge' }, true],
  [{ url: URL_, method: 'connect' }, false],
  [{ url: URL_, schedule: ['5s', 0, '1d'] }, true],
  [{ url: URL_, schedule: ['5'] }, false],
  [{ url: URL_, schedule: [1.5] }, false],
  [{ url: URL_, sign: false, endpoint: 'a' }, false],
  [{ url: URL_, body: null }, true],
  [{ url: URL_, group: 'tenant-7' }, true],
  [{ url: URL_, group: 'tenant-7', priority: 1 }, false],
  [{ url: URL_, group: 'a\n' }, false],
  [{ url: URL_, Body: 1 }, false],
])('a delivery %j is accepted: %s', (delivery, isAccepted) => {
  expect(accepts(newDeliverySchema, delivery)).toBe(isAccepted);
});

test('headers of an endpoint need the URL they are for', () => {
  expect(accepts(endpointSchema, { headers: { authorization: 'x' } })).toBe(false);
  expect(accepts(endpointSchema, { headers: { authorization: 'x' }, url: URL_ })).toBe(true);
  expect(accepts(endpointSchema, { headers: {} })).toBe(true);
});

test('a target goes somewhere', () => {
  expect(accepts(targetSchema, {})).toBe(false);
  expect(accepts(targetSchema, { endpoint: 'a' })).toBe(true);
  expect(accepts(targetSchema, { url: URL_, delay: 5 })).toBe(false);
});
