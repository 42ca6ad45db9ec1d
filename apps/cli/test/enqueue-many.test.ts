import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text as textOf } from 'node:stream/consumers';
import { describe, expect, test, vi } from 'vitest';
import { linesOf, runningSluice, unservedQueue } from './running-sluice.ts';
import { serverBefore } from './server-before.ts';
import { start } from './sluice.ts';

vi.setConfig({ testTimeout: 30_000 });

const here = runningSluice();

describe('many jobs', () => {
  test('come from a file, one a line, in its order', async () => {
    const queue = unservedQueue();
    const file = await here.file(
      [
        '\ufeff{"name": "a", "data": {"n": 12345678901234567890}}\r',
        '',
        '{"name": "b", "data": "\u2028", "opts": {"attempts": 2}}',
        '{"name": "c", "data": null}',
      ].join('\n'),
    );

    const done = await here.sluice('enqueue', queue, '--file', file, '--attempts', '9');

    expect(done).toEqual({ status: 0, stdout: `Enqueued 3 jobs in queue ${queue}.\n`, stderr: '' });
    const jobs = await here.lines('jobs', 'list', queue, '--json');
    expect(jobs.map(({ name, data, attempts }) => [name, data, (attempts as { max: number }).max])).toEqual([
      ['a', { n: Number('12345678901234567890') }, 9],
      ['b', '\u2028', 2],
      ['c', null, 9],
    ]);
    const listed = await here.sluice('jobs', 'list', queue, '--json');
    expect(listed.stdout).toContain('"data":{"n": 12345678901234567890}');
  });

  test('have the name given, and each line as data', async () => {
    const queue = unservedQueue();

    const done = await here.sluiceWith(
      { input: ['{"to":"ada"}\n{"to"', ':"bob"}\n7'] },
      ...['enqueue', queue, 'welcome', '--stdin', '--json'],
    );

    expect(linesOf(done.stdout)).toEqual(
      [1, 2, 3].map((line) => ({ line, id: expect.stringMatching(/^j_/) })),
    );
    const jobs = await here.lines('jobs', 'list', queue, '--json');
    expect(jobs.map(({ name, data }) => [name, data])).toEqual([
      ['welcome', { to: 'ada' }],
      ['welcome', { to: 'bob' }],
      ['welcome', 7],
    ]);
  });

  test('are enqueued once, however often the file is sent', async () => {
    const queue = unservedQueue();
    const file = await here.file(Array.from({ length: 25 }, (_, n) => `{"name":"a","data":${n}}`).join('\n'));

    const first = await here.lines('enqueue', queue, '--file', file, '--batch', '10', '--json');
    const again = await here.lines('enqueue', queue, '--file', file, '--batch', '7', '--json');
    const named = await here.lines('enqueue', queue, '--file', file, '--run', 'another', '--json');

    expect(first).toHaveLength(25);
    expect(again).toEqual(first);
    expect(new Set([...first, ...named].map(({ id }) => id)).size).toBe(50);
    const [{ counts }] = (await here.lines('queues', 'show', queue, '--json')) as [{ counts: object }];
    expect(counts).toMatchObject({ waiting: 50 });
  });

  test('stop at the first that is refused; everything before it is enqueued, nothing behind', async () => {
    const queue = unservedQueue();
    const file = await here.file(
      [
        '{"name":"a","data":1}',
        '{"name":"b","data":2}',
        '{"name":"c","data":3,"opts":{"atempts":2}}',
        '{"name":"d","data":4}',
      ].join('\n'),
    );

    const stopped = await here.sluice('enqueue', queue, '--file', file);

    expect(stopped).toMatchObject({ status: 1, stdout: '' });
    expect(stopped.stderr).toMatch(/^line 3: .*atempts.*\n {2}\(400 job_invalid, request .*\)\n/);
    expect(stopped.stderr).toMatch(
      /Stopped with 2 jobs enqueued\. Send the same command again: what is enqueued already is not enqueued twice\.\n$/,
    );
    const jobs = await here.lines('jobs', 'list', queue, '--json');
    expect(jobs.map(({ name }) => name)).toEqual(['a', 'b']);
  });

  test('go on where they stopped when the line is mended', async () => {
    const queue = unservedQueue();
    const good = (n: number) => `{"name":"a","data":${n}}`;
    const bad = await here.file([good(1), '{"name":"a"', good(3)].join('\n'));
    const stopped = await here.lines('enqueue', queue, '--file', bad, '--run', 'r', '--json');

    const mended = await here.file([good(1), good(2), good(3)].join('\n'));
    const done = await here.lines('enqueue', queue, '--file', mended, '--run', 'r', '--json');

    expect(stopped).toEqual([
      { line: 1, id: expect.stringMatching(/^j_/) },
      { line: 2, error: expect.objectContaining({ reason: 'line_invalid' }) },
    ]);
    expect(done[0]).toEqual(stopped[0]);
    expect(done.map(({ line }) => line)).toEqual([1, 2, 3]);
    expect(await here.lines('jobs', 'list', queue, '--json')).toHaveLength(3);
  });

  test('with --continue all that can be are enqueued, and status 1 tells that some were not', async () => {
    const queue = unservedQueue();
    const text = [
      '{"name":"a","data":1}',
      '[]',
      '{"data":1}',
      '{"name":"b","data":2,"oops":1}',
      '{"name":"c"}',
    ];

    const done = await here.sluiceWith(
      { input: [[...text, '{"name":"d","data":4}'].join('\n')] },
      ...['enqueue', queue, '--stdin', '--continue', '--run', 'x'],
    );

    expect(done.status).toBe(1);
    expect(done.stderr).toContain('line 2: line 2 cannot be sent: it is not an object');
    expect(done.stderr).toContain('line 3: line 3 cannot be sent: it has no "name"');
    expect(done.stderr).toContain('line 4: line 4 cannot be sent: "oops" is no member of a job');
    expect(done.stderr).toMatch(/^line 5: data: .*required/m);
    expect(done.stderr).toMatch(/^2 jobs enqueued, 4 refused\./m);
    const jobs = await here.lines('jobs', 'list', queue, '--json');
    expect(jobs.map(({ name }) => name)).toEqual(['a', 'd']);
  });

  test('take a key of their own, and lines before --from-line are left out', async () => {
    const queue = unservedQueue();
    const file = await here.file('{"name":"a","data":1}\n{"name":"a","data":2,"idempotency_key":"mine"}\n');

    const first = await here.lines('enqueue', queue, '--file', file, '--from-line', '2', '--json');
    const again = await here.lines(
      'enqueue',
      queue,
      'a',
      '--data',
      '2',
      '--idempotency-key',
      'mine',
      '--json',
    );

    expect(first).toEqual([{ line: 2, id: again[0]?.id }]);
  });

  test('from standard input tell the name by which to go on', async () => {
    const queue = unservedQueue();
    const input = ['{"name":"a","data":1}\nnot json\n'];

    const stopped = await here.sluiceWith({ input }, 'enqueue', queue, '--stdin');
    const run = /--run (\S+):/.exec(stopped.stderr)?.[1] as string;
    const again = await here.sluiceWith({ input }, 'enqueue', queue, '--stdin', '--run', run);

    expect([stopped.status, again.status]).toEqual([1, 1]);
    expect(await here.lines('jobs', 'list', queue, '--json')).toHaveLength(1);
  });

  test('that are too much for one request go in several', async () => {
    const queue = unservedQueue();
    const text = 'x'.repeat(900_000);
    const file = await here.file(
      Array.from({ length: 12 }, (_, n) => JSON.stringify({ name: 'a', data: { n, text } })).join('\n'),
    );

    const done = await here.sluice('enqueue', queue, '--file', file);

    expect(done).toEqual({ status: 0, stdout: `Enqueued 12 jobs in queue ${queue}.\n`, stderr: '' });
  });

  test('wait for a server that is full, and go on', async (t) => {
    const queue = unservedQueue();
    let refusals = 0;
    const full = await serverBefore(t, here.product.url, () => {
      if (refusals === 2) return undefined;
      refusals += 1;
      return { status: 503, reason: 'overloaded', message: 'Too many jobs are on their way.' };
    });

    const done = await here.sluiceWith(
      { variables: { SLUICE_URL: full }, input: ['{"name":"a","data":1}'], isWatched: true },
      ...['enqueue', queue, '--stdin'],
    );

    expect(done).toMatchObject({ status: 0, stdout: `Enqueued 1 job in queue ${queue}.\n` });
    expect(done.stderr).toBe(
      `${'Too many jobs are on their way. Trying again in 1 s.\n'.repeat(2)}\r1 job enqueued, up to line 1\r\u001b[K`,
    );
  });

  test('are enqueued once when an answer is lost on its way', async (t) => {
    const queue = unservedQueue();
    let requests = 0;
    const breaking = await serverBefore(t, here.product.url, () => {
      requests += 1;
      return requests === 2 ? 'break' : undefined;
    });

    const done = await here.sluiceWith(
      { variables: { SLUICE_URL: breaking }, input: ['1\n2\n3\n'] },
      ...['enqueue', queue, 'a', '--stdin', '--batch', '1'],
    );

    expect(done).toEqual({
      status: 0,
      stdout: `Enqueued 3 jobs in queue ${queue}.\n`,
      stderr: 'The API does not answer. Trying again in 1 s.\n',
    });
    expect(requests).toBe(4);
    const jobs = await here.lines('jobs', 'list', queue, '--json');
    expect(jobs.map(({ data }) => data)).toEqual([1, 2, 3]);
  });

  test('that come slowly are not kept waiting for a full request, and Ctrl-C ends the wait for more', async (t) => {
    const queue = unservedQueue();
    const main = new URL('../dist/main.js', import.meta.url).pathname;
    const child = spawn(process.execPath, [main, 'enqueue', queue, 'a', '--stdin', '--run', 'r'], {
      env: { PATH: process.env.PATH, ...here.variables },
    });
    t.onTestFinished(() => void child.kill('SIGKILL'));
    const said = textOf(child.stderr);
    child.stdin.write('1\n');
    await expect
      .poll(async () => (await here.lines('jobs', 'list', queue, '--json')).length, { timeout: 10_000 })
      .toBe(1);
    child.kill('SIGINT');

    const [status] = await once(child, 'exit');

    expect(status).toBe(130);
    expect(await said).toMatch(/^Stopped with 1 job enqueued\. Send the same command again/);
  });

  test('stop in order at Ctrl-C, and the same command goes on', async (t) => {
    const queue = unservedQueue();
    const count = 30_000;
    const file = await here.file(
      Array.from({ length: count }, (_, n) => `{"name":"a","data":${n}}`).join('\n'),
    );
    const args = ['enqueue', queue, '--file', file, '--batch', '10'];
    const sluice = start(t, args, here.variables);
    await expect
      .poll(async () => (await here.lines('queues', 'show', queue, '--json'))[0]?.counts, { timeout: 15_000 })
      .toMatchObject({ waiting: expect.toSatisfy((waiting: number) => waiting > 0) });
    sluice.signal('SIGINT');

    const { status, stdout, stderr } = await sluice.result;
    const done = await here.sluice('enqueue', queue, '--file', file);

    expect({ status, stdout }).toEqual({ status: 130, stdout: '' });
    expect(stderr).toMatch(/^Stopped with [\d,]+ jobs enqueued\. Send the same command again/m);
    expect(done).toMatchObject({ status: 0, stdout: `Enqueued 30,000 jobs in queue ${queue}.\n` });
    const [{ counts }] = (await here.lines('queues', 'show', queue, '--json')) as [{ counts: object }];
    expect(counts).toMatchObject({ waiting: count });
  });
});
