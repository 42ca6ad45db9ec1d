import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { DELIVERY_QUEUE } from '@sluice/delivery';
import { expect, it } from 'vitest';
import { receiver, setup, verify } from './setup.ts';

const MORTAL_WORKER = fileURLToPath(new URL('./mortal-worker.ts', import.meta.url));

it('a delivery whose worker is killed while it sends is sent again, with the same webhook-id', {
  timeout: 60_000,
}, async (t) => {
  const { redis, master, endpoints, send, work, ended } = await setup(t, { deliveryWorkers: 0 });
  const { url, first, received } = await receiver(t, (response, before) => {
    if (before > 0) response.end();
  });
  const { secret = '' } = await endpoints.put('partner', { url, concurrency: 1 });
  const arguments_ = ['--import', 'tsx', '--conditions=@sluice/source', MORTAL_WORKER];
  const mortal = spawn(process.execPath, [...arguments_, redis.keys.prefix, master.toString('hex')], {
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  t.onTestFinished(() => void mortal.kill('SIGKILL'));
  const id = await send({ endpoint: 'partner', timeout: 1_000, body: 1 });
  await first(1, 25_000);

  mortal.kill('SIGKILL');
  await once(mortal, 'exit');
  work(DELIVERY_QUEUE, { timing: { lockMs: 500, stalledCheckMs: 100 } });

  // The dead worker holds the one place of the host until its lease has ended.
  const requests = await first(2, 25_000);
  for (const request of requests) verify(secret, request);
  expect(requests.map(({ headers }) => headers['webhook-id'])).toEqual([id, id]);
  expect(await ended(id)).toMatchObject({ state: 'completed', attempts: { made: 1, lost: 1 } });
  expect(received).toHaveLength(2);
});
