import { expect, test } from 'vitest';
import { counted, length, printTable, shortened, visible } from '../src/output.ts';

test('shows what would steer a terminal', () => {
  expect(visible('a\u001b[2J\u009b31m\n\u2028é')).toBe('a\\u001b[2J\\u009b31m\\u000a\\u2028é');
});

test('cuts long cells between characters, not within', () => {
  expect([shortened('😀😀😀', 3), shortened('😀😀😀', 2)]).toEqual(['😀😀😀', '😀…']);
});

test.for([
  [0, '0ms'],
  [999, '999ms'],
  [59_999, '59s'],
  [7_200_000, '2h'],
  [86_400_000, '1d'],
] as const)('%i ms are %s', ([ms, text]) => {
  expect(length(ms)).toBe(text);
});

test('counts in words', () => {
  expect([counted(1, 'job'), counted(12_500, 'job')]).toEqual(['1 job', '12,500 jobs']);
});

test('says so when a table has no rows', () => {
  const written: string[] = [];
  const terminal = { variables: {}, out: (text: string) => void written.push(text), err: () => undefined };

  printTable(terminal, ['A'], [], 'None.');

  expect(written).toEqual(['None.\n']);
});
