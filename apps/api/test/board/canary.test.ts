import { expect, test } from 'vitest';
import { boardUnderTest } from './setup.ts';

/** What no answer of the board may hold. */
const CANARY = 'canary-7f3a9';

test('tells no planted secret in any answer', async (t) => {
  const board = await boardUnderTest(t);
  const key = await board.makeKey(['board:*', 'jobs:*']);
  const mail = await board.queue('mail');
  const secret = (place: string) => `${CANARY}-${place}`;
  const data = {
    shown: 'plain-7f3a9',
    password: secret('data'),
    deep: [
      { 'set-cookie': [secret('list')] },
      { auth: { user: secret('user'), anything: secret('inside') } },
    ],
    note: `token=${secret('note')}`,
    json: JSON.stringify({ client_secret: secret('json') }),
    quoted: `again ${secret('data')}`,
    [`password=${secret('member')}`]: 1,
    huge: `${'x'.repeat(2_040)}secret=${secret('cut')}`,
  };
  const opts = {
    attempts: 1,
    keepLogs: 200,
    deduplication: { id: `secret=${secret('deduplication')}` },
    telemetry: { metadata: `token:${secret('metadata')}` },
  };
  board.work('mail', async (job) => {
    await job.updateProgress({ step: 1, sessionToken: secret('progress') });
    await job.log(`connecting with password ${secret('data')}`);
    await job.log(`Authorization: Bearer ${secret('log')}`);
    if (job.name.startsWith('fails'))
      throw new Error(`wrong password ${secret('data')}, url http://u:${secret('url')}@h/`);
    return { accessToken: secret('returned'), text: `cookie: ${secret('returned-text')}` };
  });
  const name = (what: string) => `${what} key=${secret('name')}`;
  await mail.add(name('works'), data, { ...opts, jobId: 'j_done' });
  await mail.add(name('fails'), data, {
    ...opts,
    deduplication: { id: `token=${secret('d2')}` },
    jobId: 'j_failed',
  });
  await mail.upsertJobScheduler(
    'nightly',
    { every: 3_600_000, startDate: Date.now() + 3_600_000 },
    {
      name: name('nightly'),
      data,
      opts: { attempts: 2 },
    },
  );
  await expect.poll(() => mail.getJobState('j_done'), { timeout: 5_000 }).toBe('completed');
  await expect.poll(() => mail.getJobState('j_failed'), { timeout: 5_000 }).toBe('failed');
  const idle = await board.queue('idle');
  await board.flows().add({
    name: name('root'),
    queueName: 'idle',
    data,
    opts: { jobId: 'j_root' },
    children: [
      { name: name('child'), queueName: 'idle', data, opts: { jobId: 'j_child' } },
      {
        name: 'fails',
        queueName: 'mail',
        data,
        opts: { jobId: 'j_ignored', ignoreDependencyOnFailure: true },
      },
    ],
  });
  await (await idle.getJob('j_child'))?.updateProgress({ password: secret('child') });
  const { client, keys } = board.redis;
  await client.hset(
    `${keys.queuePrefix('idle')}:idle:j_child`,
    'defa',
    `stopped: token=${secret('deferred')}`,
  );
  await expect.poll(() => mail.getJobState('j_ignored'), { timeout: 5_000 }).toBe('failed');

  const paths = [
    '/api/queues',
    ...['latest', 'completed', 'failed', 'delayed'].map(
      (state) => `/api/queues?activeQueue=mail&status=${state}`,
    ),
    '/api/queues?activeQueue=idle&status=latest',
    '/api/job-schedulers',
    ...['j_done', 'j_failed', 'j_ignored'].flatMap((id) =>
      ['', '/logs', '/flow'].map((end) => `/api/queues/mail/${id}${end}`),
    ),
    ...['j_root', 'j_child'].flatMap((id) =>
      ['', '/logs', '/flow'].map((end) => `/api/queues/idle/${id}${end}`),
    ),
    ...['metrics', 'rate-limit', 'default-job-options', 'job-data-schema'].map(
      (end) => `/api/queues/mail/${end}`,
    ),
  ];
  const answers = new Map<string, string>();
  for (const path of paths) {
    const response = await board.fetchAs(key, path);
    expect([path, response.status]).toEqual([path, 200]);
    answers.set(path, await response.text());
  }

  const all = [...answers.values()].join('\n');
  expect([...answers].filter(([, text]) => text.includes(CANARY)).map(([path]) => path)).toEqual([]);
  expect(board.lines.join('\n')).not.toContain(CANARY);
  // The fields are there, and so is what is no secret.
  expect(all).toContain('plain-7f3a9');
  expect(answers.get('/api/queues/mail/j_failed')).toContain(
    'wrong password [redacted], url http://[redacted]@h/',
  );
  expect(answers.get('/api/queues/mail/j_done/logs')).toBe(
    '["connecting with password [redacted]","Authorization: [redacted]"]',
  );
  expect(answers.get('/api/queues/idle/j_root/flow')).toContain('child key=[redacted]');
  expect(answers.get('/api/queues/idle/j_root/flow')).toContain('ignoredChildFailureReasons');
  expect(answers.get('/api/queues/idle/j_child')).toContain('stopped: token=[redacted]');
  expect(answers.get('/api/job-schedulers')).toContain('nightly key=[redacted]');
});

test('hides what an operator has configured, field by field', async (t) => {
  const fields = [
    'data',
    'opts',
    'progress',
    'returnvalue',
    'name',
    'failedReason',
    'stacktrace',
    'logs',
    'deduplicationId',
  ];
  const board = await boardUnderTest(t, { redaction: { words: [], paths: fields } });
  const key = await board.makeKey(['board', 'jobs:read']);
  const mail = await board.queue('mail');
  board.work('mail', async (job) => {
    await job.updateProgress(CANARY);
    await job.log(CANARY);
    throw new Error(CANARY);
  });
  await mail.add(CANARY, { any: CANARY }, { jobId: 'j_1', deduplication: { id: CANARY } });
  await expect.poll(() => mail.getJobState('j_1'), { timeout: 5_000 }).toBe('failed');

  const job = await (await board.fetchAs(key, '/api/queues/mail/j_1')).text();
  const logs = await (await board.fetchAs(key, '/api/queues/mail/j_1/logs')).text();

  expect(job + logs).not.toContain(CANARY);
  expect(logs).toBe('["[redacted]"]');
  expect(JSON.parse(job)).toMatchObject({
    job: { name: '[redacted]', data: '[redacted]', opts: '[redacted]', failedReason: '[redacted]' },
  });
});
