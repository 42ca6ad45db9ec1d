import { describe, expect, test, vi } from 'vitest';
import { runningSluice, servedQueue, unservedQueue } from './running-sluice.ts';

vi.setConfig({ testTimeout: 30_000 });

const here = runningSluice();

describe('one job', () => {
  test('is enqueued with every option, and its id is told', async () => {
    const queue = unservedQueue();

    const done = await here.sluice(
      ...['enqueue', queue, 'welcome', '--data', '{"to": "ada"}', '--delay', '10m', '--attempts', '5'],
      ...['--backoff', 'exponential:5s:0.5', '--timeout', '30s', '--priority', '7', '--ttl', '1h'],
      ...['--dedupe', 'ada', '--dedupe-ttl', '1m', '--retain-age', '1d', '--retain-count', '10'],
    );

    expect(done).toMatchObject({
      status: 0,
      stdout: expect.stringMatching(/^j_\w{26} delayed\n$/),
      stderr: '',
    });
    const [id] = done.stdout.split(' ');
    const [job] = await here.lines('jobs', 'show', queue, id as string, '--json');
    expect(job).toMatchObject({
      name: 'welcome',
      data: { to: 'ada' },
      attempts: { max: 5 },
      opts: {
        priority: 7,
        backoff: { type: 'exponential', delay: 5_000, jitter: 0.5 },
        timeout: 30_000,
        deduplication: { id: 'ada', mode: 'throttle', ttl: 60_000 },
      },
    });
  });

  test('has its data from a file or standard input, number by number as it is written', async () => {
    const queue = unservedQueue();
    const data = '{"n": 12345678901234567890, "f": 1.0}';

    const fromFile = await here.sluice(
      'enqueue',
      queue,
      'a',
      '--data',
      `@${await here.file(data)}`,
      '--json',
    );
    const fromInput = await here.sluiceWith(
      { input: [data.slice(0, 9), data.slice(9)] },
      ...['enqueue', queue, 'b', '--data', '-', '--json'],
    );

    for (const { stdout } of [fromFile, fromInput]) {
      const { id } = JSON.parse(stdout) as { id: string };
      const shown = await here.sluice('jobs', 'show', queue, id, '--json');
      expect(shown.stdout).toContain('"data":{"n": 12345678901234567890, "f": 1.0}');
    }
  });

  test('is the same job under the same idempotency key', async () => {
    const queue = unservedQueue();
    const enqueue = (data: string) =>
      here.sluice('enqueue', queue, 'a', '--idempotency-key', 'order-7', '--data', data);

    const first = await enqueue('{"a": 1}');
    const again = await enqueue('{"a": 1}');
    const other = await enqueue('{"a": 2}');

    expect(again).toEqual(first);
    expect(other).toMatchObject({ status: 1, stdout: '' });
    expect(other.stderr).toContain('(422 idempotency_mismatch, request ');
  });

  test('is waited for, and its result is what is printed', async () => {
    const done = await here.sluice(
      ...['enqueue', servedQueue(), 'example.echo', '--data', '{"a": 1.0}', '--wait', '20s'],
    );

    expect(done).toEqual({ status: 0, stdout: '{"a":1}\n', stderr: '' });
  });

  test('that fails makes status 1, and says why', async () => {
    const done = await here.sluice(
      ...['enqueue', servedQueue(), 'example.echo', '--data', '{"failures": 1}', '--wait', '20s'],
    );

    expect(done).toMatchObject({ status: 1, stdout: '' });
    expect(done.stderr).toMatch(/^Job j_\w+ did not complete: error: attempt 1 of 1 that fail as asked\.\n$/);
  });

  test('that takes longer than the wait goes on, and how to follow it is told', async () => {
    const queue = unservedQueue();

    const done = await here.sluice('enqueue', queue, 'a', '--wait', '50ms');

    expect(done).toMatchObject({ status: 1, stdout: '' });
    expect(done.stderr).toMatch(
      new RegExp(`^Job (j_\\w+) has not ended within 50ms\\. It goes on: sluice jobs follow ${queue} \\1\n$`),
    );
  });
});

test.for([
  { args: [], says: 'Name the job' },
  { args: ['a', '--data', '{oops'], says: '--data is not JSON' },
  { args: ['a', '--data', '@/nowhere'], says: 'the file /nowhere cannot be read (ENOENT)' },
  { args: ['a', '--delay', 'soon'], says: 'wanted a length of time such as 250ms' },
  { args: ['a', '--backoff', 'linear:5s'], says: 'wanted fixed:5s, exponential:5s' },
  { args: ['a', '--run-at', 'tomorrow'], says: 'wanted an instant' },
  { args: ['a', '--opts', '[]'], says: '--opts wants an object' },
  { args: ['a', '--dedupe-ttl', '5s'], says: 'belong to --dedupe' },
  { args: ['a', '--run', 'x', '--continue'], says: '--run, --continue: only for many jobs' },
  { args: ['--file', 'x', '--stdin'], says: 'not both' },
  { args: ['--file', 'x', '--idempotency-key', 'y'], says: '--idempotency-key: only for one job' },
  { args: ['--stdin', '--batch', '501'], says: 'wanted a whole number from 1 to 500' },
  { args: ['a', '--dely', '5s'], says: 'Did you mean --delay?' },
])('says with status 2 what is wrong with $args', async ({ args, says }) => {
  const refused = await here.sluice('enqueue', unservedQueue(), ...args);

  expect(refused).toMatchObject({ status: 2, stdout: '', stderr: expect.stringContaining(says) });
});

test('tells what the server refuses, field by field', async () => {
  const refused = await here.sluice('enqueue', 'no such queue', 'a', '--attempts', '500');

  expect(refused).toMatchObject({ status: 1, stdout: '' });
  expect(refused.stderr).toContain('a queue name is 1 to 64 letters');
  expect(refused.stderr).toMatch(/\(400 input_invalid, request \S+\)/);
});
