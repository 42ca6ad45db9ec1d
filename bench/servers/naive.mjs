/** This file owns the obvious server: Hono, zod, one `queue.add` a request. */
import { serve } from '@hono/node-server';
import { Queue } from 'bullmq';
import { Hono } from 'hono';
import { z } from 'zod';

const { port } = new URL(process.env.REDIS_URL);
const queue = new Queue('bench', { connection: { host: '127.0.0.1', port: Number(port) } });
const job = z.strictObject({ name: z.string().min(1), data: z.unknown() });
const jobs = z.strictObject({ resource: z.array(job).min(1).max(1_000) });

const app = new Hono();
app.post('/api/v2/queues/bench/jobs', async (c) => {
  if (!c.req.header('x-dreamfactory-api-key')) return c.json({ error: 'no key' }, 401);
  const body = await c.req.json();
  if ('resource' in body) {
    const added = await queue.addBulk(jobs.parse(body).resource);
    return c.json({ resource: added.map(({ id }) => ({ id, success: true })) }, 201);
  }
  const { name, data } = job.parse(body);
  const added = await queue.add(name, data);
  return c.json({ id: added.id }, 201);
});

await queue.waitUntilReady();
serve({ fetch: app.fetch, port: Number(process.env.PORT), hostname: '127.0.0.1' }, () =>
  console.log('listening'),
);
