import { expect, test } from 'vitest';
import { z } from 'zod';
import { Catalog } from '../src/catalog.ts';
import { defineJob, jobFault } from '../src/define.ts';

const good = { name: 'invoice.send', payload: z.object({ id: z.string() }), run: () => undefined };

test('accepts a job as it is written, and gives it back', () => {
  expect(defineJob(good)).toBe(good);
});

test('hands run the payload as its schema makes it', () => {
  const job = defineJob({
    name: 'typed',
    payload: z.object({ n: z.string().transform(Number) }),
    result: z.number(),
    run: ({ n }) => n + 1,
  });

  const parsed = job.payload.safeParse({ n: '41' });

  expect(parsed).toMatchObject({ success: true, data: { n: 41 } });
});

test.for([
  ['nothing', undefined, 'a job is an object made by defineJob, not undefined'],
  ['a function', () => undefined, 'a job is an object made by defineJob, not function'],
  ['a name with a space', { ...good, name: 'a b' }, "this one is 'a b'"],
  ['no name', { ...good, name: undefined }, 'this one is undefined'],
  [
    'a payload that is no schema',
    { ...good, payload: {} },
    "the payload of job 'invoice.send' must be a zod schema",
  ],
  [
    'a result that is no schema',
    { ...good, result: 'text' },
    "the result of job 'invoice.send' must be a zod schema or absent; it is 'text'",
  ],
  [
    'no run',
    { ...good, run: undefined },
    "job 'invoice.send' needs a function run(payload, ctx); run is undefined",
  ],
  [
    'a timeout of 0',
    { ...good, timeoutMs: 0 },
    "timeoutMs of job 'invoice.send' must be a whole number above 0; it is 0",
  ],
  [
    'a size in words',
    { ...good, maxResultBytes: '1mb' },
    "maxResultBytes of job 'invoice.send' must be a whole number above 0; it is '1mb'",
  ],
  [
    'an unknown isolation',
    { ...good, isolation: 'thread' },
    "isolation of job 'invoice.send' must be 'none' or 'process'; it is 'thread'",
  ],
] as const)('says what is wrong with %s', ([, job, sentence]) => {
  expect(jobFault(job)).toContain(sentence);
  expect(() => defineJob(job as never)).toThrow(TypeError);
});

test('finds jobs by name, and none by the names of an object', () => {
  const catalog = new Catalog([{ job: good, origin: 'built in' }]);

  expect(catalog.find('invoice.send')?.job).toBe(good);
  expect(['constructor', '__proto__', 'toString', 'invoice'].map((name) => catalog.find(name))).toEqual(
    Array(4).fill(undefined),
  );
  expect(catalog.names()).toEqual(['invoice.send']);
});

test('refuses two jobs of one name, naming where both come from', () => {
  const entries = [
    { job: good, origin: 'built in' },
    { job: { ...good }, origin: 'mail.mjs' },
  ];

  expect(() => new Catalog(entries)).toThrow(
    "mail.mjs: a job named 'invoice.send' is already there, from built in",
  );
});

test('refuses an isolated job that has no module of its own', () => {
  expect(() => new Catalog([{ job: { ...good, isolation: 'process' }, origin: 'built in' }])).toThrow(
    "built in: job 'invoice.send' wants isolation 'process', which needs a module of its own",
  );
});
