import { Catalog, defineJob } from '@sluice/jobs';
import { JsonText } from '@sluice/runtime';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { receiver, setup, verify } from './setup.ts';

const QUEUE = 'orders';
const at = { queue: QUEUE };
const echo = defineJob({ name: 'echo', payload: z.unknown(), run: (payload) => payload });

describe('a queue with a target', () => {
  it('has its jobs sent there, data as it was written, signed, and completed by the answer', async (t) => {
    const { targets, endpoints, jobs, ended } = await setup(t, { queues: [QUEUE] });
    const { secret = '' } = await endpoints.put('partner', {});
    const { url, first } = await receiver(t, (response) => void response.writeHead(200).end('ok'));
    await targets.put(QUEUE, { url, endpoint: 'partner', headers: { 'X-Shop': '7' } });

    const { id } = await jobs.enqueue(QUEUE, {
      name: 'order.paid é',
      data: new JsonText('{"n": 12345678901234567890}'),
    });

    const [request] = await first(1);
    if (request) verify(secret, request);
    expect(request).toMatchObject({
      method: 'POST',
      body: '{"n": 12345678901234567890}',
      headers: {
        'content-type': 'application/json',
        'x-shop': '7',
        'webhook-id': id,
        'sluice-queue': QUEUE,
        'sluice-job-id': id,
        'sluice-job-name': 'order.paid%20%C3%A9',
        'sluice-attempt': '1',
      },
    });
    const { state, result } = await ended(id, at);
    expect(state).toBe('completed');
    expect(JSON.parse(result?.text ?? '')).toMatchObject({ status: 200, body: 'ok' });
  });

  it('goes by the schedule of its target, whatever attempts a job was given', async (t) => {
    const { targets, jobs, ended, attempts } = await setup(t, { queues: [QUEUE] });
    const { url, received } = await receiver(t, (response) => void response.writeHead(500).end());
    await targets.put(QUEUE, { url, schedule: [0, 1, 1] });

    const few = await jobs.enqueue(QUEUE, { name: 'a' });
    const many = await jobs.enqueue(QUEUE, { name: 'b', opts: { attempts: 20 } });

    for (const { id } of [few, many]) {
      expect(await ended(id, at)).toMatchObject({ state: 'failed', attempts: { made: 3 } });
      expect(await attempts(id, QUEUE)).toHaveLength(3);
    }
    expect(received).toHaveLength(6);
  });

  it('ends a job by a final answer, and tells its callbacks', async (t) => {
    const { targets, jobs, ended } = await setup(t, { queues: [QUEUE] });
    const { url } = await receiver(
      t,
      (response, _before, { headers }) =>
        void response.writeHead(headers['sluice-job-name'] === 'bad' ? 422 : 200).end(),
    );
    const told = await receiver(t);
    await targets.put(QUEUE, { url, callback: told.url, failure_callback: told.url });

    const bad = await jobs.enqueue(QUEUE, { name: 'bad' });
    const good = await jobs.enqueue(QUEUE, { name: 'good' });

    expect(await ended(bad.id, at)).toMatchObject({ state: 'failed', attempts: { made: 1 } });
    expect(await ended(good.id, at)).toMatchObject({ state: 'completed' });
    const events = (await told.first(2)).map(({ body }) => JSON.parse(body) as Record<string, unknown>);
    expect(events.map(({ type }) => type).sort()).toEqual(['delivery.failed', 'delivery.succeeded']);
  });

  it('that lost it fails its jobs as nobody knows them', async (t) => {
    const { targets, jobs, ended, dispatch } = await setup(t, { queues: [QUEUE] });
    const { url, received } = await receiver(t);
    await targets.put(QUEUE, { url });
    await dispatch.refresh();
    await targets.remove(QUEUE);

    const { id } = await jobs.enqueue(QUEUE, { name: 'a' });

    expect((await ended(id, at)).error).toEqual({
      code: 'unknown_job',
      message: "no processor named 'a' is known to this worker",
    });
    expect(received).toEqual([]);
  });

  it('takes every name but that of a delivery, which has a receiver of its own', async (t) => {
    const { targets, jobs, job, endpoints, ended, dispatch } = await setup(t, { queues: [QUEUE] });
    const target = await receiver(t);
    const own = await receiver(t);
    await endpoints.put('partner', {});
    await targets.put(QUEUE, { url: target.url });
    await dispatch.refresh();
    const sent = dispatch.entryFor(new Catalog([{ job: echo, origin: 'test' }]), QUEUE, 'echo');
    const run = dispatch.entryFor(new Catalog([{ job: echo, origin: 'test' }]), 'other', 'echo');

    const { id } = await jobs.enqueue(QUEUE, await job({ url: own.url, endpoint: 'partner' }));

    await ended(id, at);
    expect([target.received.length, own.received.length]).toEqual([0, 1]);
    expect([sent?.job.name, run?.job.name]).toEqual(['target', 'echo']);
  });

  it('tells jobs whose ids are not unique, as those of schedulers, apart by ids of its own', async (t) => {
    const { targets, jobs } = await setup(t, { queues: [QUEUE, 'other'] });
    const { url, first } = await receiver(t);
    for (const queue of [QUEUE, 'other']) {
      await targets.put(queue, { url });
      await jobs.schedulers.upsert(queue, 'tick', { every: 3_600_000 }, { name: 'a' });
    }

    const ids = (await first(2)).map(({ headers }) => headers['webhook-id']);

    expect(new Set(ids).size).toBe(2);
    for (const id of ids) expect(id).toMatch(/^msg_[\w-]{22}$/);
  });
});
