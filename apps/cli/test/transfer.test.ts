import { readFile, writeFile } from 'node:fs/promises';
import { describe, expect, test, vi } from 'vitest';
import { runningSluice, unservedQueue } from './running-sluice.ts';

vi.setConfig({ testTimeout: 30_000 });

const here = runningSluice();

const JOBS = [
  '{"name":"welcome","data":{"n":12345678901234567890}}',
  '{"name":"urgent","data":"text","opts":{"priority":3,"attempts":4,"backoff":{"type":"exponential","delay":500},"timeout":9000}}',
  '{"name":"later","data":null,"opts":{"run_at":"2035-01-01T00:00:00Z"}}',
  '{"name":"turn","data":[],"opts":{"group":"tenant-7"}}',
];

/** A queue with these jobs and a scheduler. */
async function filled(): Promise<string> {
  const queue = unservedQueue();
  await here.sluiceWith({ input: [JOBS.join('\n')] }, 'enqueue', queue, '--stdin');
  const answer = await here.product.call(`/queues/${queue}/schedulers/nightly`, {
    method: 'PUT',
    json: {
      schedule: { cron: '0 3 * * *', tz: 'Europe/Zurich' },
      name: 'report',
      data: { kind: 'full' },
      opts: { attempts: 2 },
    },
  });
  expect(answer.status, await answer.text()).toBe(200);
  return queue;
}

/** What is in it, without what is another in every queue. */
async function contents(queue: string): Promise<unknown[]> {
  const states = ['waiting', 'prioritized', 'delayed'];
  const jobs = await Promise.all(
    states.map((state) => here.lines('jobs', 'list', queue, '--state', state, '--json')),
  );
  return jobs
    .flat()
    .filter(({ scheduler }) => scheduler === null)
    .map(({ name, data, state, opts, run_at, attempts }) => ({ name, data, state, opts, run_at, attempts }));
}

describe('a queue', () => {
  test('is exported and imported whole, and importing twice makes no second job', async () => {
    const [queue, other] = [await filled(), unservedQueue()];
    const file = await here.file('');

    const exported = await here.sluice('queues', 'export', queue, '--file', file);
    const first = await here.sluice('queues', 'import', other, '--file', file);
    const second = await here.sluice('queues', 'import', other, '--file', file);

    expect(exported).toEqual({
      status: 0,
      stdout: `Exported 1 scheduler and 4 jobs of queue ${queue}.\n`,
      stderr: '',
    });
    expect(first.stdout).toBe(`Imported into queue ${other}: 1 scheduler set, 4 jobs enqueued.\n`);
    expect(second).toEqual({ ...first });
    expect(await contents(other)).toEqual(await contents(queue));
    expect(await contents(other)).toHaveLength(4);
    expect(await readFile(file, 'utf8')).toContain('{"n":12345678901234567890}');
    const scheduler = async (name: string) =>
      (await (await here.product.call(`/queues/${name}/schedulers/nightly`)).json()) as Record<
        string,
        unknown
      >;
    const [before, after] = [await scheduler(queue), await scheduler(other)];
    expect({ schedule: after.schedule, job: after.job }).toEqual({
      schedule: before.schedule,
      job: before.job,
    });
  });

  test('goes through a pipe, as JSON', async () => {
    const [queue, other] = [await filled(), unservedQueue()];

    const { stdout, stderr } = await here.sluice('queues', 'export', queue);
    const imported = await here.sluiceWith(
      { input: [stdout] },
      'queues',
      'import',
      other,
      '--stdin',
      '--json',
    );

    expect(stderr).toBe(`Exported 1 scheduler and 4 jobs of queue ${queue}.\n`);
    expect(imported.status, imported.stderr).toBe(0);
    expect(
      imported.stdout
        .trim()
        .split('\n')
        .map((line) => Object.keys(JSON.parse(line))),
    ).toEqual(Array.from({ length: 4 }, () => ['line', 'id']));
    expect(await contents(other)).toEqual(await contents(queue));
  });

  test('is exported on from where it was interrupted', async () => {
    const queue = unservedQueue();
    const lines = Array.from({ length: 250 }, (_, n) => `{"n":${n}}`).join('\n');
    await here.sluiceWith({ input: [lines] }, 'enqueue', queue, 'step', '--stdin');
    const [whole, cut] = [await here.file(''), await here.file('')];
    await here.sluice('queues', 'export', queue, '--file', whole);
    const text = await readFile(whole, 'utf8');
    // In the middle of the second page, in the middle of a line.
    await writeFile(cut, text.slice(0, text.indexOf('"n":150') + 3));

    const resumed = await here.sluice('queues', 'export', queue, '--file', cut, '--resume', '--json');

    expect(JSON.parse(resumed.stdout)).toEqual({ queue, jobs: 150, schedulers: 0 });
    expect(await readFile(cut, 'utf8')).toBe(text);
  });

  test('is not imported from a line that is no job', async () => {
    const queue = unservedQueue();

    const refused = await here.sluiceWith(
      {
        input: [
          '{"scheduler":{"id":"x","schedule":{"every":60000},"name":"tick","data":{},"opts":{}}}\n{"nam":1}\n',
        ],
      },
      'queues',
      'import',
      queue,
      '--stdin',
    );

    expect(refused.status).toBe(1);
    expect(refused.stderr).toContain('line 2: ');
    expect(refused.stderr).toContain('Stopped with 1 scheduler set, 0 jobs enqueued.');
  });

  test('needs to be told from where', async () => {
    expect(await here.sluice('queues', 'import', 'mail')).toMatchObject({
      status: 2,
      stderr: expect.stringContaining('Give --file <path> or --stdin.'),
    });
    expect(await here.sluice('queues', 'export', 'mail', '--resume')).toMatchObject({ status: 2 });
  });
});
