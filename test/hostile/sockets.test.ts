import { createConnection } from 'node:net';
import { setTimeout as later } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { startApi, type TestApi } from '../../apps/api/test/harness.ts';
import { type RawCase, rawCases, SMUGGLED } from './raw-requests.ts';

/** Headers have 10 s and are looked at every 5, bodies 30 s; what is slower than that would hold a socket for free. */
const MAX_OPEN_MS = 45_000;
/** What a server says to what it does not understand, and to what it understood and has not. */
const REFUSALS = new Set(['400', '404', '405', '408', '413', '415', '417', '431', '501', '505']);
/** A hundred times what a read takes, on a machine that does other things. */
const GOOD_CLIENT_MAX_MS = 5_000;

interface Outcome {
  name: string;
  statuses: string[];
  isSmuggled: boolean;
  heldMs: number;
}

/** Says it on a socket of its own, and hears until the server closes or has answered whatever it will. */
async function say(
  port: number,
  { name, pieces, everyMs = 0, ending = 'wait', served }: RawCase,
): Promise<Outcome> {
  const socket = createConnection({ host: '127.0.0.1', port, allowHalfOpen: true });
  const startedAt = performance.now();
  let heard = '';
  const closed = new Promise<void>((resolve) => {
    socket.once('close', () => resolve());
    socket.once('end', () => {
      socket.destroy();
      resolve();
    });
  });
  socket.on('error', () => socket.destroy());
  const answered = new Promise<void>((resolve) => {
    socket.on('data', (chunk: Buffer) => {
      heard += chunk.toString('latin1');
      if (statusesOf(heard).length >= (served ?? 1) && everyMs === 0) resolve();
    });
  });
  const speak = async () => {
    for (const piece of pieces) {
      if (socket.destroyed) return;
      if (piece.length > 0) socket.write(piece);
      if (everyMs > 0) await later(everyMs);
    }
    if (ending === 'finish') socket.end();
    if (ending === 'reset') socket.resetAndDestroy();
  };
  void speak();
  await Promise.race([closed, answered, later(MAX_OPEN_MS, undefined, { ref: false })]);
  // Whatever else it says comes with the first answer or at once behind it.
  if (!socket.destroyed) await Promise.race([closed, later(100)]);
  const heldMs = performance.now() - startedAt;
  socket.destroy();
  return { name, statuses: statusesOf(heard), isSmuggled: heard.includes(SMUGGLED), heldMs };
}

function statusesOf(heard: string): string[] {
  return [...heard.matchAll(/HTTP\/1\.1 (\d{3}) /g)]
    .map(([, status]) => status as string)
    .filter((each) => each !== '100');
}

/** Reads and writes its own values until told to stop; rejects at the first answer that is not its own. */
async function goodClient(
  api: TestApi,
  signal: AbortSignal,
): Promise<{ requests: number; slowestMs: number }> {
  let requests = 0;
  let slowestMs = 0;
  while (!signal.aborted) {
    requests += 1;
    const id = `good-${requests}`;
    const startedAt = performance.now();
    const headers = { 'X-Request-Id': id };
    const put = await api.call('/api/v2/redis/good?upsert=true', {
      method: 'PUT',
      json: { value: id },
      headers,
    });
    const got = await api.call('/api/v2/redis/good', { headers });
    slowestMs = Math.max(slowestMs, performance.now() - startedAt);
    expect([put.ok, got.status, got.headers.get('x-request-id')]).toEqual([true, 200, id]);
    expect(await got.json()).toEqual({ key: 'good', value: id });
    await later(5);
  }
  return { requests, slowestMs };
}

it('bears more than 300 sockets that say no proper request, and a good client beside them does not notice', async (t) => {
  const api = await startApi(t);
  await api.call('/api/v2/redis/held', { method: 'POST', json: { value: 'held' } });
  const cases = rawCases(api.key);
  const port = Number(new URL(api.url).port);
  const finished = new AbortController();

  const good = goodClient(api, finished.signal);
  const outcomes = await Promise.all(cases.map((each) => say(port, each)));
  finished.abort();
  const { requests, slowestMs } = await good;

  const byName = new Map(cases.map((each) => [each.name, each]));
  const faults = outcomes.filter(({ name, statuses, isSmuggled, heldMs }) => {
    const served = byName.get(name)?.served;
    if (isSmuggled || heldMs > MAX_OPEN_MS - 1_000) return true;
    if (served !== undefined)
      return statuses.length !== served || statuses.some((status) => status !== '200');
    return statuses.some((status) => Number(status) >= 500 && !REFUSALS.has(status));
  });
  console.log(
    `sockets: ${cases.length} cases, ${requests} requests of a good client, the slowest ${Math.round(slowestMs)} ms`,
  );
  expect(faults).toEqual([]);
  expect(cases.length).toBeGreaterThanOrEqual(300);
  expect(slowestMs).toBeLessThan(GOOD_CLIENT_MAX_MS);
  expect((await fetch(`${api.url}/readyz`)).status).toBe(200);
}, 90_000);
