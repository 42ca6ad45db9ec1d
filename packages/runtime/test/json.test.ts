import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { JsonText, jsonDepth, jsonElements, jsonMembers } from '../src/index.ts';

/** JSON with blanks wherever JSON allows them, and numbers spelt in every way. */
const spelt = fc.letrec<{ value: string; scalar: string; array: string; object: string }>((tie) => ({
  value: fc.oneof({ maxDepth: 4, withCrossShrink: true }, tie('scalar'), tie('array'), tie('object')),
  scalar: fc.oneof(
    fc.string({ unit: 'grapheme' }).map((text) => JSON.stringify(text)),
    fc.string({ unit: 'binary' }).map((text) => JSON.stringify(text)),
    fc.double({ noNaN: true, noDefaultInfinity: true }).map(String),
    fc.constantFrom(
      '0',
      '-0',
      '1.0',
      '12345678901234567890',
      '1e400',
      '1E-7',
      'true',
      'false',
      'null',
      '"\\\\"',
      '"\\""',
      '"\\u0041]}"',
    ),
  ),
  array: spaced(fc.array(tie('value'), { maxLength: 5 }), '[', ']'),
  object: spaced(
    fc.array(
      fc
        .tuple(fc.string(), blank(), blank(), tie('value'))
        .map(([name, before, after, value]) => `${JSON.stringify(name)}${before}:${after}${value}`),
      { maxLength: 5 },
    ),
    '{',
    '}',
  ),
}));

function blank() {
  return fc.string({ unit: fc.constantFrom(' ', '\n', '\r', '\t'), maxLength: 3 });
}

function spaced(parts: fc.Arbitrary<string[]>, opening: string, closing: string) {
  return fc
    .tuple(parts, blank(), blank())
    .map(
      ([list, before, after]) => `${opening}${before}${list.join(`${after},${before}`)}${after}${closing}`,
    );
}

const padded = (text: fc.Arbitrary<string>) =>
  fc.tuple(blank(), text, blank()).map((parts) => parts.join(''));

describe('members of an object', () => {
  test('keep the spelling of their values', () => {
    const text = ' { "a" : 12345678901234567890 , "b":1.0,"a":{"x" : [1 , 2]}, "\\u00e4": "}\\"," } ';

    expect(jsonMembers(text)).toEqual([
      { name: 'a', text: '12345678901234567890' },
      { name: 'b', text: '1.0' },
      { name: 'a', text: '{"x" : [1 , 2]}' },
      { name: 'ä', text: '"}\\","' },
    ]);
  });

  test('of none are none', () => {
    expect([jsonMembers('{}'), jsonMembers(' {\n} ')]).toEqual([[], []]);
  });

  test('mean what JSON.parse reads, whatever the text', () => {
    fc.assert(
      fc.property(padded(spelt.object), (text) => {
        const members = jsonMembers(text);

        // Through entries, so that a name like __proto__ is a name.
        expect(Object.fromEntries(members.map(({ name, text: value }) => [name, JSON.parse(value)]))).toEqual(
          JSON.parse(text),
        );
        for (const member of members) expect(text).toContain(member.text);
      }),
      { numRuns: 1_000 },
    );
  });

  test('are as many as are written', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.string(), spelt.value), { maxLength: 20 }), (pairs) => {
        const text = `{${pairs.map(([name, value]) => `${JSON.stringify(name)}:${value}`).join(',')}}`;

        expect(jsonMembers(text)).toEqual(pairs.map(([name, value]) => ({ name, text: value })));
      }),
      { numRuns: 300 },
    );
  });
});

describe('elements of a list', () => {
  test('mean what JSON.parse reads, whatever the text', () => {
    fc.assert(
      fc.property(padded(spelt.array), (text) => {
        expect(jsonElements(text).map((element) => JSON.parse(element))).toEqual(JSON.parse(text));
      }),
      { numRuns: 1_000 },
    );
  });

  test('are each as written', () => {
    fc.assert(
      fc.property(fc.array(spelt.value, { maxLength: 20 }), (values) => {
        expect(jsonElements(`[${values.join('\n,\t')}\r]`)).toEqual(values);
      }),
      { numRuns: 300 },
    );
  });
});

describe('depth', () => {
  const depthOf = (value: unknown): number =>
    typeof value === 'object' && value !== null ? 1 + Math.max(0, ...Object.values(value).map(depthOf)) : 0;

  test('is that of the value, whatever its strings hold', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.string(), spelt.value), { maxLength: 5 }), (pairs) => {
        // Unlike names, or JSON.parse would forget the deeper of two.
        const text = `{${pairs.map(([name, value], index) => `${JSON.stringify(`${index}${name}`)}:${value}`).join(',')}}`;

        expect(jsonDepth(text)).toBeGreaterThanOrEqual(depthOf(JSON.parse(text)));
      }),
    );
    expect(['1', '{}', '[[]]', '{"a":[{"b":"[[[["}]}', '"\\"[["'].map(jsonDepth)).toEqual([0, 1, 2, 3, 0]);
  });

  test('of two hundred thousand levels costs no stack', () => {
    const levels = 200_000;

    expect(jsonDepth('['.repeat(levels))).toBe(levels);
    expect(jsonElements(`[${'['.repeat(levels)}${']'.repeat(levels)}]`)).toHaveLength(1);
  });
});

test('a mebibyte of quotes and backslashes is read in a moment', () => {
  const text = JSON.stringify({ value: '\\"'.repeat(250_000) });
  const startedAt = performance.now();

  expect(jsonMembers(text)).toHaveLength(1);
  expect(jsonDepth(text)).toBe(1);

  expect(performance.now() - startedAt).toBeLessThan(500);
});

test('a JSON text counts as its value where JSON is written', () => {
  expect(JSON.stringify({ value: new JsonText('[1, {"a":null}]') })).toBe('{"value":[1,{"a":null}]}');
});
