import { expect, test } from 'vitest';
import { mergePatch } from '../src/json-merge.ts';

/** RFC 7396, appendix A: original, patch, result. */
const APPENDIX_A = [
  ['{"a":"b"}', '{"a":"c"}', '{"a":"c"}'],
  ['{"a":"b"}', '{"b":"c"}', '{"a":"b","b":"c"}'],
  ['{"a":"b"}', '{"a":null}', '{}'],
  ['{"a":"b","b":"c"}', '{"a":null}', '{"b":"c"}'],
  ['{"a":["b"]}', '{"a":"c"}', '{"a":"c"}'],
  ['{"a":"c"}', '{"a":["b"]}', '{"a":["b"]}'],
  ['{"a":{"b":"c"}}', '{"a":{"b":"d","c":null}}', '{"a":{"b":"d"}}'],
  ['{"a":[{"b":"c"}]}', '{"a":[1]}', '{"a":[1]}'],
  ['["a","b"]', '["c","d"]', '["c","d"]'],
  ['{"a":"b"}', '["c"]', '["c"]'],
  ['{"a":"foo"}', 'null', 'null'],
  ['{"a":"foo"}', '"bar"', '"bar"'],
  ['{"e":null}', '{"a":1}', '{"e":null,"a":1}'],
  ['[1,2]', '{"a":"b","c":null}', '{"a":"b"}'],
  ['{}', '{"a":{"bb":{"ccc":null}}}', '{"a":{"bb":{}}}'],
] as const;

test.each(APPENDIX_A)('%s changed by %s is %s', (target, patch, result) => {
  expect(mergePatch(target, patch)).toBe(result);
});

test('what the patch does not name is kept to the letter', () => {
  const target = '{ "n" : 12345678901234567890, "f":1.0, "s":"\\u00e9", "__proto__": {"x":1} }';

  expect(mergePatch(target, '{"f":2.50}')).toBe(
    '{"n":12345678901234567890,"f":2.50,"s":"\\u00e9","__proto__":{"x":1}}',
  );
});

test('a patch on nothing drops its nulls', () => {
  expect(mergePatch(undefined, '{"a":{"b":null,"c":1},"d":null}')).toBe('{"a":{"c":1}}');
});
