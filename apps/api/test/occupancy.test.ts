import type { TestContext } from '@sluice/redis/testing';
import { expect, it } from 'vitest';
import { startApi, type TestApi } from './harness.ts';
import { rawClient } from './raw-client.ts';

/** A request whose body has come but for its last bytes: it is worked on until `finish`. */
async function unfinished(t: TestContext, api: TestApi, path: string, body: string) {
  const { socket, heard } = await rawClient(t, api.url);
  socket.write(
    `POST ${path} HTTP/1.1\r\nHost: x\r\nX-DreamFactory-API-Key: ${api.key}\r\nContent-Type: application/json\r\n` +
      `Content-Length: ${body.length}\r\n\r\n${body.slice(0, -1)}`,
  );
  return { heard, finish: () => void socket.write(body.slice(-1)) };
}

const metric = async (api: TestApi, name: string) =>
  Number(new RegExp(`^${name} (\\d+)$`, 'm').exec(await (await api.call('/metrics')).text())?.[1]);

it('sends away what comes while it has all it works on, and serves what it let in', async (t) => {
  const api = await startApi(t, { MAX_IN_FLIGHT: '2' });
  const jobs = '/api/v2/queues/busy/jobs';
  const held = [
    await unfinished(t, api, jobs, '{"name":"a","data":1}'),
    await unfinished(t, api, jobs, '{"name":"a","data":2}'),
  ];
  // The scrape is the third.
  await expect.poll(() => metric(api, 'sluice_http_in_flight_requests'), { timeout: 10_000 }).toBe(3);

  const shed = await api.call(jobs, { method: 'POST', json: { name: 'a', data: 3 } });
  const health = await api.call('/livez', { key: null });
  for (const { finish } of held) finish();

  expect(shed.status).toBe(503);
  expect(shed.headers.get('retry-after')).toBe('1');
  expect(await shed.json()).toMatchObject({
    error: { code: 503, context: { reason: 'overloaded', outcome: 'not_attempted' } },
  });
  expect(health.status).toBe(200);
  for (const { heard } of held) await expect.poll(heard, { timeout: 10_000 }).toMatch(/^HTTP\/1.1 201 /);
  const queue = (await (await api.call('/api/v2/queues/busy')).json()) as { counts: { waiting: number } };
  expect(queue.counts.waiting).toBe(2);
  expect(await metric(api, 'sluice_http_shed_requests_total')).toBe(1);
  expect(await metric(api, 'sluice_http_in_flight_requests')).toBe(1);
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

it('holds so many bytes of bodies, gives up what comes beyond, and has room again afterwards', async (t) => {
  const api = await startApi(t, { MAX_BATCH_BYTES: '1048576', MAX_BODY_BYTES_IN_FLIGHT: '1048576' });
  const jobs = '/api/v2/queues/large/jobs';
  const body = JSON.stringify({ name: 'a', data: 'x'.repeat(700_000) });
  const first = await unfinished(t, api, jobs, body);
  await expect.poll(() => metric(api, 'sluice_http_body_bytes'), { timeout: 10_000 }).toBe(body.length - 1);

  const beside = await api.call(jobs, { method: 'POST', json: { name: 'b', data: 'y'.repeat(600_000) } });
  first.finish();

  expect(beside.status).toBe(503);
  expect(beside.headers.get('retry-after')).toBe('1');
  expect(await beside.json()).toMatchObject({
    error: { context: { reason: 'overloaded', outcome: 'not_attempted' } },
  });
  await expect.poll(first.heard, { timeout: 10_000 }).toMatch(/^HTTP\/1.1 201 /);
  await expect.poll(() => metric(api, 'sluice_http_body_bytes'), { timeout: 10_000 }).toBe(0);
  const queue = (await (await api.call('/api/v2/queues/large')).json()) as { counts: { waiting: number } };
  expect(queue.counts.waiting).toBe(1);
  expect(await metric(api, 'sluice_http_shed_requests_total')).toBe(1);
  const again = await api.call(jobs, { method: 'POST', json: { name: 'b', data: 'y'.repeat(600_000) } });
  expect(again.status).toBe(201);
});
