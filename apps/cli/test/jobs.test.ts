import { expect, test, vi } from 'vitest';
import { linesOf, runningSluice, servedQueue, unservedQueue } from './running-sluice.ts';
import { serverBefore } from './server-before.ts';
import { launch, start } from './sluice.ts';

vi.setConfig({ testTimeout: 30_000 });

const here = runningSluice();

async function enqueue(queue: string, data: unknown, ...args: string[]): Promise<string> {
  const { stdout } = await here.sluice(
    ...['enqueue', queue, 'example.echo', '--data', JSON.stringify(data), '--json', ...args],
  );
  return (JSON.parse(stdout) as { id: string }).id;
}

/** Where a job is by now. */
async function stateOf(queue: string, id: string): Promise<unknown> {
  return (await here.lines('jobs', 'show', queue, id, '--json'))[0]?.state;
}

test('lists the jobs of a state as a table, and page by page for programs', async () => {
  const queue = unservedQueue();
  const ids = [await enqueue(queue, 1), await enqueue(queue, 2), await enqueue(queue, 3)];

  const shown = await here.sluice('jobs', 'list', queue);
  const page = await here.sluice('jobs', 'list', queue, '--limit', '2', '--json');
  const all = await here.lines('jobs', 'list', queue, '--limit', '2', '--all', '--json');
  const none = await here.sluice('jobs', 'list', queue, '--state', 'failed');

  expect(shown.stdout.split('\n')).toEqual([
    expect.stringMatching(/^ID +NAME +STATE +AGE +ATTEMPTS +WHY$/),
    ...ids.map((id) => expect.stringMatching(new RegExp(`^${id}  example.echo  waiting  \\w+ +0/1$`))),
    '',
  ]);
  expect(linesOf(page.stdout)).toHaveLength(2);
  expect(all.map(({ id, data }) => [id, data])).toEqual(ids.map((id, at) => [id, at + 1]));
  expect(none).toEqual({ status: 0, stdout: `No jobs of queue ${queue} are failed.\n`, stderr: '' });
});

test('shows a job in words, with its data as it was sent and nothing that steers a terminal', async () => {
  const queue = unservedQueue();
  const id = await enqueue(queue, { text: '\u009b31mred' }, '--delay', '1h', '--group', 'g');

  const shown = await here.sluice('jobs', 'show', queue, id);

  expect(shown).toMatchObject({ status: 0, stderr: '' });
  expect(shown.stdout).toMatch(new RegExp(`^job +${id}$`, 'm'));
  expect(shown.stdout).toMatch(/^state +delayed$/m);
  expect(shown.stdout).toMatch(/^due +\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ$/m);
  expect(shown.stdout).toMatch(/^data +\{"text":"\\u009b31mred"\}$/m);
  expect(shown.stdout).not.toContain('result');
});

test('follows a job to its end: events, progress and what it logs', async () => {
  const queue = servedQueue();
  const id = await enqueue(queue, { delay: 300 }, '--delay', '1s');

  const followed = await here.sluice('jobs', 'follow', queue, id);
  const programs = await here.lines('jobs', 'follow', queue, id, '--json');

  expect(followed).toMatchObject({ status: 0, stderr: '' });
  const told = followed.stdout.split('\n').map((line) => line.replace(/^\d\d:\d\d:\d\d {2}/, ''));
  expect(told[0]).toBe(`example.echo of queue ${queue} is delayed`);
  expect(told).toEqual(expect.arrayContaining(['active', 'progress  0', 'log  attempt 1', 'progress  100']));
  expect(told.slice(-2)).toEqual(['completed  {"delay":300}', '']);
  expect(programs).toEqual([
    { event: 'seen', job: expect.objectContaining({ id, state: 'completed' }) },
    { event: 'log', line: 'attempt 1' },
    { event: 'completed', job_id: id, at: expect.any(String), result: { delay: 300 } },
  ]);
});

test('enqueues and follows in one command', async () => {
  const done = await here.sluice('enqueue', servedQueue(), 'example.echo', '--data', '{"a":1}', '--follow');

  expect(done).toMatchObject({ status: 0, stderr: '' });
  expect(done.stdout).toMatch(/^j_\w+ waiting\n.*completed {2}\{"a":1\}\n$/s);
});

test('makes status 1 of a job that fails, and tells the lines of all its attempts', async () => {
  const queue = servedQueue();
  const id = await enqueue(queue, { failures: 9 }, '--attempts', '2', '--backoff', 'fixed:100ms');

  const followed = await here.sluice('jobs', 'follow', queue, id);

  expect(followed.status).toBe(1);
  expect(followed.stdout.match(/log {2}attempt \d/g)).toEqual(['log  attempt 1', 'log  attempt 2']);
  expect(followed.stdout).toMatch(/failed {2}error: attempt 2 of 9 that fail as asked\n$/);
  expect(followed.stderr).toBe(`Job ${id} did not complete: error: attempt 2 of 9 that fail as asked.\n`);
});

test('goes on following when the connection breaks', async (t) => {
  const queue = servedQueue();
  const id = await enqueue(queue, { delay: 200 }, '--delay', '1500ms');
  let streams = 0;
  const breaking = await serverBefore(t, here.product.url, ({ path }) => {
    if (!path.includes('/events')) return undefined;
    streams += 1;
    return streams === 1 ? 'break' : undefined;
  });

  const followed = await here.sluiceWith(
    { variables: { SLUICE_URL: breaking } },
    ...['jobs', 'follow', queue, id],
  );

  expect(streams).toBe(2);
  expect(followed).toMatchObject({ status: 0, stderr: '' });
  expect(followed.stdout).toMatch(/completed {2}\{"delay":200\}\n$/);
  expect(followed.stdout.match(/ is delayed/g)).toHaveLength(1);
});

test('stops following at Ctrl-C; the job goes on', async (t) => {
  const queue = servedQueue();
  const id = await enqueue(queue, { delay: 3_000 });
  const sluice = start(t, ['jobs', 'follow', queue, id], here.variables);
  await sluice.find(/log {2}attempt 1/);
  sluice.pressCtrlC();

  const { status, stderr } = await sluice.result;

  expect({ status, stderr }).toEqual({ status: 130, stderr: `Stopped following; job ${id} goes on.\n` });
  await expect.poll(() => stateOf(queue, id), { timeout: 10_000 }).toBe('completed');
});

test('runs finished jobs again, each by itself', async () => {
  const queue = servedQueue();
  const [first, second] = [await enqueue(queue, { a: 1 }), await enqueue(queue, { a: 2 })];
  for (const id of [first, second]) await here.sluice('jobs', 'follow', queue, id);

  const again = await here.sluice('jobs', 'retry', queue, first, 'j_nowhere', second);
  const programs = await here.sluice('jobs', 'retry', queue, 'j_nowhere', '--json');

  expect(again.status).toBe(1);
  expect(again.stdout.split('\n').map((line) => line.split(' ')[0])).toEqual([first, second, '']);
  expect(again.stderr).toContain(`j_nowhere: queue ${queue} has no job of this id\n`);
  expect(again.stderr).toMatch(/1 of 3 were refused\.\n$/);
  expect(programs).toMatchObject({ status: 1, stdout: '' });
  expect(JSON.parse(programs.stderr)).toEqual({
    error: {
      status: 404,
      reason: 'job_not_found',
      message: `queue ${queue} has no job of this id`,
      request_id: expect.any(String),
    },
  });
});

test('cancels jobs that wait and jobs that run', async () => {
  const [held, served] = [unservedQueue(), servedQueue()];
  const waiting = await enqueue(held, 1);
  const running = await enqueue(served, { delay: 60_000 });
  await expect.poll(() => stateOf(served, running), { timeout: 10_000 }).toBe('active');

  const removed = await here.sluice('jobs', 'cancel', held, waiting);
  const aborted = await here.sluice('jobs', 'cancel', served, running);
  const followed = await here.sluice('jobs', 'follow', served, running);

  expect(removed).toEqual({ status: 0, stdout: `${waiting} removed\n`, stderr: '' });
  expect(aborted).toEqual({ status: 0, stdout: `${running} cancelling\n`, stderr: '' });
  expect(followed.status).toBe(1);
  expect(followed.stderr).toMatch(new RegExp(`^Job ${running} did not complete: cancelled: `));
});

test('a reader that has seen enough ends a list without a word', async (t) => {
  const queue = unservedQueue();
  const file = await here.file(
    Array.from({ length: 2_000 }, (_, n) =>
      JSON.stringify({ name: 'a', data: { n, text: 'x'.repeat(500) } }),
    ).join('\n'),
  );
  await here.sluice('enqueue', queue, '--file', file);
  const main = new URL('../dist/main.js', import.meta.url).pathname;

  const piped = launch(t, {
    command: 'bash',
    args: [
      '-c',
      `"${process.execPath}" "${main}" jobs list ${queue} --all --json | head -1; echo "status \${PIPESTATUS[0]}"`,
    ],
    variables: here.variables,
  });
  const { stdout, stderr } = await piped.result;

  expect(stderr).toBe('');
  expect(stdout).toMatch(/^\{"id":"j_.*\}\nstatus 141\n$/);
});
