/** This file owns the obvious server for many writes: bare Hono, one pipeline of SETs a request. */
import { serve } from '@hono/node-server';
import { Hono } from 'hono';
import { Redis } from 'ioredis';

const redis = new Redis(process.env.REDIS_URL);
const app = new Hono();
app.post('/api/v2/redis', async (c) => {
  const { resource } = await c.req.json();
  const pipeline = redis.pipeline();
  for (const { key, value, ttl } of resource) pipeline.set(key, JSON.stringify(value), 'EX', ttl);
  await pipeline.exec();
  return c.json({ resource: resource.map(({ key }) => ({ key, success: true })) }, 201);
});
await redis.ping();
serve({ fetch: app.fetch, port: Number(process.env.PORT), hostname: '127.0.0.1' }, () =>
  console.log('listening'),
);
