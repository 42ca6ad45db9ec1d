import { JsonText } from '@sluice/runtime';
import { expect, test } from 'vitest';
import { type JobLine, jobLines } from '../src/job-lines.ts';

async function read(
  chunks: readonly (string | Uint8Array)[],
  options: Partial<Parameters<typeof jobLines>[1]> = {},
) {
  const source = (async function* () {
    for (const chunk of chunks) yield typeof chunk === 'string' ? Buffer.from(chunk) : chunk;
  })();
  const found: JobLine[] = [];
  const all = { jobName: undefined, opts: undefined, run: 'r', fromLine: 1, ...options };
  for await (const line of jobLines(source, all)) found.push(line);
  return found;
}

test('numbers lines from 1, empty ones too, however the bytes come', async () => {
  const text = '{"name":"é","data":1}\n\n  \r\n{"name":"b","data":2}';
  const bytes = Buffer.from(text);

  const whole = await read([bytes]);
  const single = await read(Array.from(bytes, (byte) => Uint8Array.of(byte)));

  expect(whole.map(({ number, job }) => [number, job?.name])).toEqual([
    [1, new JsonText('"é"')],
    [4, new JsonText('"b"')],
  ]);
  expect(single).toEqual(whole);
});

test('gives a line the same key in every sending of its name, and no other line the same', async () => {
  const keys = async (run: string) =>
    (await read(['{"name":"a"}\n{"name":"a"}'], { run })).map(({ job }) => job?.idempotency_key);

  const [first, again, other] = [await keys('r'), await keys('r'), await keys('s')];

  expect(first).toEqual(again);
  expect(new Set([...first, ...other]).size).toBe(4);
  expect(first[1]).toMatch(/^cli:[0-9a-f]{32}:2$/);
});

test('gives lines the options of the command, unless they have their own', async () => {
  const opts = { attempts: 3 };

  const [plain, own] = await read(['{"name":"a"}\n{"name":"a","opts":{"attempts":1}}'], { opts });

  expect([plain?.job?.opts, own?.job?.opts]).toEqual([opts, new JsonText('{"attempts":1}')]);
});

test('says why a line is no job', async () => {
  const lines = await read([
    '{"name":"a"\n',
    Uint8Array.of(0x22, 0xff, 0x22),
    '\n"a"\n{"nam":"a"}\n{"data":1}',
  ]);

  expect(lines.map(({ number, fault }) => [number, fault?.slice(0, 30)])).toEqual([
    [1, 'it is not JSON'],
    [2, 'it is not UTF-8'],
    [3, 'it is not an object {"name": …'.slice(0, 30)],
    [4, '"nam" is no member of a job: n'],
    [5, 'it has no "name"'],
  ]);
});

test('refuses a line without an end before it fills the memory', async () => {
  const megabyte = 'x'.repeat(1_048_576);

  await expect(read(Array.from({ length: 20 }, () => megabyte))).rejects.toMatchObject({
    status: 2,
    message: 'A line has more than 16 MiB: is it one job a line?',
  });
});
