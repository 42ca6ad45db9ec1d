/**
 * The packages without the product: a Hono application, an Express application and this script share a cache, a limit,
 * sessions and a queue over nothing but Redis.
 *
 * This script is the customer's browser and the worker that writes receipts. The two applications are processes of their own.
 *
 *   REDIS_URL=redis://localhost:6379 npm run peers
 */
import { type ChildProcess, fork } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { Catalog, defineJob } from '@sluice/jobs';
import { JobWorker } from '@sluice/jobs/worker';
import { createLog } from '@sluice/runtime';
import { z } from 'zod';
import { MAIL_QUEUE, openServices } from './peers-services.ts';

// The same for all three, from where secrets are kept.
process.env.SESSION_SECRET ??= randomBytes(32).toString('hex');

const receipt = defineJob({
  name: 'receipt',
  payload: z.object({ userId: z.string(), product: z.object({ id: z.string(), price: z.number() }) }),
  run: ({ userId, product }) => `${userId} pays ${product.price} for the ${product.id}`,
});

const services = await openServices('receipts');
const worker = new JobWorker({
  queue: MAIL_QUEUE,
  redis: services.queue.redis,
  keys: services.queue.keys,
  probe: services.queue.client,
  catalog: new Catalog([{ job: receipt, origin: 'this script' }]),
  log: createLog({ name: 'receipts', level: 'error' }),
});
const loads: string[] = [];
const [shop, till] = await Promise.all([start('peers-hono.ts'), start('peers-express.ts')]);
try {
  const visit = browser();
  console.log((await visit('POST', `${till.url}/orders/teapot?number=1`)).join(' '));
  console.log((await visit('POST', `${shop.url}/sign-in?name=ada`)).join(' '));
  console.log((await visit('GET', `${shop.url}/products/teapot`)).join(' '));

  const [status, first] = await visit('POST', `${till.url}/orders/teapot?number=1`);
  const [, again] = await visit('POST', `${till.url}/orders/teapot?number=1`);
  console.log(`${status}, sent twice, one receipt: ${first === again}`);
  await visit('POST', `${till.url}/orders/cup?number=2`);
  console.log((await visit('POST', `${till.url}/orders/cup?number=3`)).join(' '));
  console.log(`loaded: ${loads.join(', ')}`);

  const end = await services.jobs.waitForResult(MAIL_QUEUE, first, { timeoutMs: 10_000 });
  console.log(end.kind === 'completed' ? end.result.toJSON() : end);
} finally {
  shop.child.disconnect();
  till.child.disconnect();
  await worker.stop();
  await services.close();
}

/** Keeps cookies: they are a host's, whatever the port. */
function browser(): (method: string, url: string) => Promise<[number, string]> {
  const cookies = new Map<string, string>();
  return async (method, url) => {
    const cookie = [...cookies].map((pair) => pair.join('=')).join('; ');
    const response = await fetch(url, { method, headers: { Cookie: cookie } });
    for (const set of response.headers.getSetCookie()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(set) ?? [];
      cookies.set(name, value);
    }
    return [response.status, await response.text()];
  };
}

function start(file: string): Promise<{ child: ChildProcess; url: string }> {
  const child = fork(new URL(`./${file}`, import.meta.url));
  return new Promise((resolve, reject) => {
    child.once('exit', () => reject(new Error(`${file} did not start`)));
    child.on('message', (message: { url: string } | { loaded: string }) => {
      if ('url' in message) resolve({ child, url: message.url });
      else loads.push(message.loaded);
    });
  });
}
