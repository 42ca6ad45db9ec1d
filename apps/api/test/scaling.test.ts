import { describe, expect, it } from 'vitest';
import { startApi, type TestApi } from './harness.ts';

async function enqueue(api: TestApi, queue: string, count: number): Promise<void> {
  const resource = Array.from({ length: count }, () => ({ name: 'any', data: {} }));
  const answer = await api.call(`/api/v2/queues/${queue}/jobs`, { method: 'POST', json: { resource } });
  expect(answer.status).toBe(201);
}

describe('the signal for scalers', () => {
  it('tells backlog, active and workers wanted, of one queue and of a selection', async (t) => {
    const api = await startApi(t);
    await enqueue(api, 'mail', 25);
    await enqueue(api, 'mail-bulk', 3);
    await enqueue(api, 'other', 7);
    await api.call('/api/v2/queues/mail/leases', { method: 'POST', json: { count: 4, lease_ms: 30_000 } });

    const one = await (await api.call('/scaling?queues=mail')).json();
    const some = await (await api.call('/scaling?queues=mail*&per_worker=5&max=4')).json();

    expect(one).toEqual({
      backlog: 21,
      active: 4,
      oldest_waiting_seconds: expect.any(Number),
      suggested_workers: 3,
      queues: [
        {
          name: 'mail',
          is_paused: false,
          workers: 0,
          backlog: 21,
          active: 4,
          oldest_waiting_seconds: expect.any(Number),
          suggested_workers: 3,
        },
      ],
    });
    expect(some).toMatchObject({
      backlog: 24,
      active: 4,
      suggested_workers: 4,
      queues: [{ name: 'mail' }, { name: 'mail-bulk', backlog: 3, suggested_workers: 1 }],
    });
  });

  it('counts a delayed job once it is due, though nobody is there to take it', async (t) => {
    const api = await startApi(t);
    const later = { name: 'later', data: {}, opts: { delay: 3_600_000 } };
    const soon = { name: 'soon', data: {}, opts: { delay: 500 } };
    await api.call('/api/v2/queues/mail/jobs', { method: 'POST', json: { resource: [later, soon] } });

    const workers = async () => {
      const told = await (await api.call('/scaling?queues=mail')).json();
      return (told as { suggested_workers: number }).suggested_workers;
    };

    expect(await workers()).toBe(0);
    await expect.poll(workers, { timeout: 5_000 }).toBe(1);
  });

  it('asks for nobody while a queue is held or does not exist, and for the fewest told', async (t) => {
    const api = await startApi(t);
    await enqueue(api, 'mail', 25);
    await api.call('/api/v2/queues/mail/pause', { method: 'POST' });

    const held = await (await api.call('/scaling?queues=mail')).json();
    const absent = await (await api.call('/scaling?queues=nothing&min=2')).json();

    expect(held).toMatchObject({ backlog: 0, oldest_waiting_seconds: 0, suggested_workers: 0 });
    expect(absent).toEqual({
      backlog: 0,
      active: 0,
      oldest_waiting_seconds: 0,
      suggested_workers: 2,
      queues: [],
    });
  });

  it('tells a key its own queues only, and refuses one that is named', async (t) => {
    const api = await startApi(t);
    await enqueue(api, 'mail', 1);
    await enqueue(api, 'other', 1);
    const key = await api.makeKey(['jobs:read:mail']);

    const all = await (await api.call('/scaling', { key })).json();
    const others = await api.call('/scaling?queues=mail,other', { key });

    expect(all).toMatchObject({ backlog: 1, queues: [{ name: 'mail' }] });
    expect(others.status).toBe(403);
  });

  it('is 400 for what is no selection and no bound', async (t) => {
    const api = await startApi(t);

    for (const query of ['queues=', 'queues=a*b', 'per_worker=0', 'min=3&max=2', 'max=-1'])
      expect([query, (await api.call(`/scaling?${query}`)).status]).toEqual([query, 400]);
  });
});
