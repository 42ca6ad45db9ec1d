import { describe, expect, it } from 'vitest';
import { startApi, type TestApi } from './harness.ts';

const QUEUE = '/api/v2/queues/mail';
const JOBS = `${QUEUE}/jobs`;

async function enqueue(api: TestApi, job: object, headers: Record<string, string> = {}) {
  const answer = await api.call(JOBS, {
    method: 'POST',
    json: { name: 'welcome', data: {}, ...job },
    headers,
  });
  return {
    status: answer.status,
    location: answer.headers.get('location'),
    body: (await answer.json()) as { id: string; state: string },
  };
}

async function ask(
  api: TestApi,
  method: string,
  path: string,
  json?: unknown,
  headers: Record<string, string> = {},
) {
  const answer = await api.call(path, { method, json, headers });
  return {
    status: answer.status,
    body: (await answer.json()) as Record<string, unknown> & { error?: { context: { reason: string } } },
  };
}

describe('jobs over HTTP', () => {
  it('enqueues a job, tells where it is, and gives its data back as it was written', async (t) => {
    const api = await startApi(t);
    const text = '{"n":12345678901234567890,"f":1.0,"__proto__":{"a":1},"s":"\\ud800"}';

    const answer = await api.call(JOBS, {
      method: 'POST',
      body: `{"name":"welcome","data":${text},"opts":{"delay":60000,"attempts":3}}`,
      headers: { 'Content-Type': 'application/json' },
    });
    const { id } = (await answer.json()) as { id: string };
    const job = await (await api.call(`${JOBS}/${id}`)).text();

    expect([answer.status, answer.headers.get('location')]).toEqual([201, `${JOBS}/${id}`]);
    expect(id).toMatch(/^j_[0-9A-Z]{26}$/);
    expect(job).toContain(`"data":${text}`);
    expect(JSON.parse(job)).toMatchObject({
      id,
      queue: 'mail',
      name: 'welcome',
      state: 'delayed',
      attempts: { made: 0, max: 3 },
      result: null,
      error: null,
    });
  });

  it('refuses unknown options, members and names that cannot be, and writes nothing', async (t) => {
    const api = await startApi(t);
    const bad = [
      { name: 'a', data: {}, opts: { parent: { id: 'x', queue: 'y' } } },
      { name: 'a', data: {}, opts: { jobId: 'marker' } },
      { name: 'a', data: {}, opts: { priority: 2_097_152 } },
      { name: 'a', data: {}, opts: { group: 'tenant-7', priority: 1 } },
      { name: 'a', data: {}, opts: { group: 'g'.repeat(129) } },
      { name: 'a', data: {}, priority: 1 },
      { name: '', data: {} },
      { name: 'a' },
      { data: {} },
      [],
      null,
    ];

    const answers = await Promise.all(bad.map((json) => ask(api, 'POST', JOBS, json)));

    expect(answers.map(({ status }) => status)).toEqual(bad.map(() => 400));
    expect((await ask(api, 'GET', QUEUE)).status).toBe(404);
  });

  it('answers a repeated request with the same id, and 422 to another body', async (t) => {
    const api = await startApi(t);
    const key = { 'Idempotency-Key': 'order-1' };

    const twins = await Promise.all(
      Array.from({ length: 20 }, () => enqueue(api, { data: { order: 1 } }, key)),
    );
    const other = await enqueue(api, { data: { order: 2 } }, key);

    expect(new Set(twins.map(({ body }) => body.id)).size).toBe(1);
    expect(twins.map(({ status }) => status).sort()).toEqual([...Array.from({ length: 19 }, () => 200), 201]);
    expect(other.status).toBe(422);
  });

  it('enqueues a list in one call, all or none unless told to go on', async (t) => {
    const api = await startApi(t);
    const resource = [
      { name: 'a', data: 1 },
      { name: 'b', data: 2, opts: { nonsense: true } },
      { name: 'c', data: 3 },
    ];

    const refused = await ask(api, 'POST', JOBS, { resource });
    const empty = await ask(api, 'GET', QUEUE);
    const partial = await ask(api, 'POST', `${JOBS}?continue=true`, { resource });
    const counts = await ask(api, 'GET', QUEUE);
    const whole = await ask(api, 'POST', JOBS, { resource: [resource[0], resource[2]] });

    expect([refused.status, refused.body.error]).toMatchObject([
      400,
      { code: 1000, context: { error: [0, 1, 2] } },
    ]);
    expect(empty.status).toBe(404);
    expect([partial.status, partial.body.error]).toMatchObject([
      400,
      { code: 1000, context: { error: [1] } },
    ]);
    expect(counts.body).toMatchObject({ counts: { waiting: 2 } });
    expect(whole).toMatchObject({ status: 201, body: { resource: [{ success: true }, { success: true }] } });
  });

  it('lists by state in pages, changes, promotes, cancels, removes and retries', async (t) => {
    const api = await startApi(t);
    const { body: delayed } = await enqueue(api, { opts: { delay: 3_600_000 } });
    const { body: waiting } = await enqueue(api, {});

    const changed = await ask(api, 'PATCH', `${JOBS}/${delayed.id}`, { data: { new: true }, priority: 5 });
    const list = await ask(api, 'GET', `${JOBS}?state=delayed&limit=1`);
    const promoted = await ask(api, 'POST', `${JOBS}/${delayed.id}/promote`);
    const cancelled = await ask(api, 'POST', `${JOBS}/${waiting.id}/cancel`);
    const gone = await ask(api, 'GET', `${JOBS}/${waiting.id}`);
    const notFailed = await ask(api, 'POST', `${JOBS}/${delayed.id}/retry`);
    const logs = await ask(api, 'GET', `${JOBS}/${delayed.id}/logs`);
    const removed = await ask(api, 'DELETE', `${JOBS}/${delayed.id}`);

    expect(changed.body).toMatchObject({ data: { new: true }, opts: { priority: 5 } });
    expect(list.body).toMatchObject({ resource: [{ id: delayed.id, state: 'delayed' }] });
    expect(promoted.body.state).toBe('prioritized');
    expect(cancelled.body).toEqual({ id: waiting.id, queue: 'mail', state: 'removed' });
    expect(gone.body.error?.context.reason).toBe('job_not_found');
    expect(notFailed.status).toBe(409);
    expect(logs.body).toEqual({ resource: [], meta: { count: 0 } });
    expect(removed.body).toEqual({ id: delayed.id, success: true });
  });

  it('waits no longer than asked, and answers 202', async (t) => {
    const api = await startApi(t);
    const { body } = await enqueue(api, {});

    const result = await ask(api, 'GET', `${JOBS}/${body.id}/result?wait=1`);
    const unknown = await ask(api, 'GET', `${JOBS}/j_nothing/result?wait=1`);
    const tooLong = await ask(api, 'GET', `${JOBS}/${body.id}/result?wait=31`);

    expect([result.status, result.body.state]).toEqual([202, 'waiting']);
    expect([unknown.status, tooLong.status]).toEqual([404, 400]);
  });
});

describe('queues over HTTP', () => {
  it('holds, bounds, searches, drains and, confirmed, obliterates a queue', async (t) => {
    const api = await startApi(t);
    await ask(api, 'POST', JOBS, {
      resource: [
        { name: 'a', data: { who: 'ada' } },
        { name: 'b', data: { who: 'bob' } },
      ],
    });

    const paused = await ask(api, 'POST', `${QUEUE}/pause`);
    const limited = await ask(api, 'PUT', `${QUEUE}/limits`, {
      concurrency: 3,
      rate: { max: 10, duration: 1_000 },
      group: { concurrency: 2 },
    });
    const found = await ask(api, 'GET', `${QUEUE}/search?text=bob`);
    const drained = await ask(api, 'POST', `${QUEUE}/drain`);
    const cleaned = await ask(api, 'POST', `${QUEUE}/clean`, { state: 'completed' });
    const redriven = await ask(api, 'POST', `${QUEUE}/retry`, { code: 'timeout' });
    const unconfirmed = await ask(api, 'POST', `${QUEUE}/obliterate`);
    const obliterated = await ask(api, 'POST', `${QUEUE}/obliterate`, undefined, { 'X-Confirm': 'mail' });
    const gone = await ask(api, 'GET', QUEUE);

    expect(paused.body.is_paused).toBe(true);
    expect(limited.body.limits).toEqual({
      concurrency: 3,
      rate: { max: 10, duration: 1_000 },
      group: { concurrency: 2, rate: null },
    });
    expect(found.body).toMatchObject({ resource: [{ name: 'b' }], meta: { examined: 2 } });
    expect(drained.body).toEqual({ affected: 2, next: null });
    expect(cleaned.body).toEqual({ affected: 0, next: null });
    expect(redriven.body).toEqual({ affected: 0, examined: 0, next: null });
    expect([unconfirmed.status, unconfirmed.body.error?.context.reason]).toEqual([400, 'not_confirmed']);
    expect(obliterated.status).toBe(200);
    expect(gone.status).toBe(404);
  });

  it('refuses to look for half a character, which Redis could not compare', async (t) => {
    const api = await startApi(t);

    const answers = await Promise.all(
      ['{"text":"\\ud800"}', '{"name":"a\\udfff"}'].map((body) =>
        api.call(`${QUEUE}/retry`, { method: 'POST', body, headers: { 'Content-Type': 'application/json' } }),
      ),
    );

    expect(answers.map(({ status }) => status)).toEqual([400, 400]);
  });

  it('takes the group of a job and tells it', async (t) => {
    const api = await startApi(t);

    const { body } = await ask(api, 'POST', JOBS, { name: 'a', data: {}, opts: { group: 'tenant-7' } });
    const job = await ask(api, 'GET', `${JOBS}/${String(body.id)}`);

    expect(body.state).toBe('prioritized');
    expect(job.body.opts).toMatchObject({ group: 'tenant-7', priority: 0 });
  });

  it('makes, tells and removes schedulers', async (t) => {
    const api = await startApi(t);
    const path = `${QUEUE}/schedulers/nightly`;
    const body = { schedule: { cron: '0 3 * * *', tz: 'Europe/Zurich' }, name: 'report', data: { n: 1 } };

    const made = await ask(api, 'PUT', path, body);
    const again = await ask(api, 'PUT', path, body);
    const list = await ask(api, 'GET', `${QUEUE}/schedulers`);
    const bad = await ask(api, 'PUT', path, { schedule: { cron: 'nonsense' }, name: 'report' });
    const removed = await ask(api, 'DELETE', path);
    const gone = await ask(api, 'GET', path);

    expect(made.body).toMatchObject({
      id: 'nightly',
      queue: 'mail',
      schedule: body.schedule,
      job: { name: 'report', data: { n: 1 } },
    });
    expect(again.body.next_at).toBe(made.body.next_at);
    expect(list.body).toMatchObject({ resource: [{ id: 'nightly' }], meta: { count: 1 } });
    expect([bad.status, removed.status, gone.status]).toEqual([400, 200, 404]);
  });

  it('takes a tree of jobs and tells it', async (t) => {
    const api = await startApi(t);
    const flow = {
      queue: 'mail',
      name: 'all',
      data: { n: 1 },
      children: [
        { queue: 'parts', name: 'one' },
        { queue: 'parts', name: 'two', on_failure: 'ignore' },
      ],
    };
    const narrow = await api.makeKey(['jobs:enqueue:mail']);

    const added = await ask(api, 'POST', '/api/v2/flows', flow);
    const tree = await ask(api, 'GET', `/api/v2/flows/mail/${added.body.id}`);
    const refused = await api.call('/api/v2/flows', { method: 'POST', json: flow, key: narrow });

    expect(added).toMatchObject({
      status: 201,
      body: { state: 'waiting-children', children: [{ name: 'one' }, { name: 'two' }] },
    });
    expect((tree.body.children as { job: { name: string } }[]).map(({ job }) => job.name).sort()).toEqual([
      'one',
      'two',
    ]);
    expect(refused.status).toBe(403);
  });

  it('streams what happens, and resumes behind the last event', async (t) => {
    const api = await startApi(t);
    await enqueue(api, {});
    const leave = new AbortController();
    t.onTestFinished(() => leave.abort());
    const stream = await api.call(`${QUEUE}/events?last_event_id=0-0`, { signal: leave.signal });
    const reader = stream.body?.pipeThrough(new TextDecoderStream()).getReader();

    let text = '';
    while (!text.includes('event: waiting')) text += (await reader?.read())?.value ?? '';
    await enqueue(api, { name: 'second' });
    const before = text.length;
    while (!text.slice(before).includes('event: waiting')) text += (await reader?.read())?.value ?? '';

    expect(stream.headers.get('content-type')).toBe('text/event-stream; charset=utf-8');
    expect(text).toMatch(/id: \d+-\d+\nevent: added\ndata: \{"job_id":"j_/);
  });
});
