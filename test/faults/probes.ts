/** This file owns single questions to the product: does it serve, does it consume, what do its metrics say. */
import { KEY } from '../e2e/product.ts';
import type { Lab } from './lab.ts';
import { sleep } from './random.ts';

const EVERY_MS = 20;
const GIVE_UP_MS = 120_000;

/** Milliseconds until a read that Redis must answer is answered. Throws after two minutes. */
export async function msUntilServed(lab: Lab): Promise<number> {
  const startedAt = performance.now();
  // Absent is an answer.
  while ((await lab.door.call('/redis/harness-probe')).status !== 404) {
    if (performance.now() - startedAt > GIVE_UP_MS) throw new Error('not served for two minutes');
    await sleep(EVERY_MS);
  }
  return performance.now() - startedAt;
}

/** Milliseconds until a job that is enqueued now, again until it is accepted, is done. Throws after two minutes. */
export async function msUntilConsumed(lab: Lab, queue: string, key: string): Promise<number> {
  const startedAt = performance.now();
  const sentAt = Date.now();
  const json = {
    name: 'fault.effect',
    data: { key, url: lab.sink.url },
    idempotency_key: key,
  };
  for (let tries = 1; ; tries += 1) {
    const { status, body, code } = await lab.door.call(`/queues/${queue}/jobs?wait=8`, {
      method: 'POST',
      json,
    });
    const { id, state } = (body ?? {}) as { id?: string; state?: string };
    if (status === 200 && (state === 'completed' || state === 'failed')) {
      lab.ledger.add({
        ...{ key, kind: 'single', queue, class: 'ok', ids: id === undefined ? [] : [id] },
        ...{ sentAt, answeredAt: Date.now(), delayMs: 0, tries, answer: code },
      });
      return performance.now() - startedAt;
    }
    if (performance.now() - startedAt > GIVE_UP_MS) throw new Error(`not consumed for two minutes: ${code}`);
    await sleep(EVERY_MS);
  }
}

/** Milliseconds until the sink is called more often than `calls`. Throws after two minutes. */
export async function msUntilCalled(lab: Lab, calls: number): Promise<number> {
  const startedAt = performance.now();
  while ((await lab.sink.calls()) <= calls) {
    if (performance.now() - startedAt > GIVE_UP_MS) throw new Error('nothing done for two minutes');
    await sleep(EVERY_MS);
  }
  return performance.now() - startedAt;
}

/** The sum of all series of this name, of an API or a worker. Throws when there is none. */
export async function metric(url: string, name: string): Promise<number> {
  const headers = { 'X-DreamFactory-API-Key': KEY };
  const answer = await fetch(`${url}/metrics`, { headers, signal: AbortSignal.timeout(5_000) });
  const values: number[] = [];
  for (const line of (await answer.text()).split('\n')) {
    const match = /^([a-zA-Z_:]+)(?:\{[^}]*\})? (\S+)/.exec(line);
    if (match?.[1] === name) values.push(Number(match[2]));
  }
  if (values.length === 0) throw new Error(`${url}/metrics (${answer.status}) has no ${name}`);
  return values.reduce((sum, value) => sum + value, 0);
}
