import { expect, it } from 'vitest';
import { startApi } from './harness.ts';

it('sends away what comes while it has all it works on, and serves what it let in', async (t) => {
  const api = await startApi(t, { MAX_IN_FLIGHT: '2' });
  const jobs = '/api/v2/queues/busy/jobs';

  const answers = await Promise.all(
    Array.from({ length: 60 }, () => api.call(jobs, { method: 'POST', json: { name: 'a', data: 1 } })),
  );
  const shed = answers.filter(({ status }) => status === 503);
  const health = await Promise.all(Array.from({ length: 20 }, () => api.call('/livez', { key: null })));
  const queue = (await (await api.call('/api/v2/queues/busy')).json()) as { counts: { waiting: number } };
  const metrics = await (await api.call('/metrics')).text();

  expect(shed.length).toBeGreaterThan(0);
  expect(await shed[0]?.json()).toMatchObject({
    error: { code: 503, context: { reason: 'overloaded', outcome: 'not_attempted' } },
  });
  expect(shed.map(({ headers }) => headers.get('retry-after'))).toEqual(shed.map(() => '1'));
  expect(queue.counts.waiting).toBe(answers.filter(({ status }) => status === 201).length);
  expect(queue.counts.waiting + shed.length).toBe(60);
  expect(health.map(({ status }) => status)).toEqual(health.map(() => 200));
  expect(metrics).toContain(`sluice_http_shed_requests_total ${shed.length}`);
  expect(metrics).toContain('sluice_http_in_flight_requests 1');
});

it('counts nobody who waits', async (t) => {
  const api = await startApi(t, { MAX_IN_FLIGHT: '1' });
  const waits = Array.from({ length: 5 }, () =>
    api.call('/api/v2/queues/idle/leases', { method: 'POST', json: { wait: 1 } }),
  );

  const beside = await api.call('/api/v2/queues/idle/jobs', { method: 'POST', json: { name: 'a', data: 1 } });

  expect(beside.status).toBe(201);
  expect((await Promise.all(waits)).map(({ status }) => status)).toEqual(waits.map(() => 200));
});
