/** This file owns the floor: Hono alone, answers of the same sizes as ours, no Redis; and Hono with nothing of ours but the headers of every answer. */
import { serve } from '@hono/node-server';
import { Hono } from 'hono';
import { jsonText, withCommonHeaders } from '../../apps/api/dist/http/reply.js';
import { requestIdOf } from '../../apps/api/dist/http/request-id.js';

const JSON_TYPE = { 'Content-Type': 'application/json; charset=utf-8' };
const value = `{"key":"key:1","value":"${'x'.repeat(200)}"}`;
const stored = '{"resource":[{"key":"key:1","success":true}]}';
const enqueued = '{"id":"j_01J0000000000000000000000","queue":"bench","name":"bench","state":"waiting"}';

const app = new Hono();
app.get('/livez', (c) => c.body('{"status":"ok"}', 200, JSON_TYPE));
app.get('/headers', () => {
  const { body, ...init } = withCommonHeaders(jsonText(200, '{"status":"ok"}'), requestIdOf(undefined));
  return new Response(body, init);
});
app.get('/api/v2/redis/:key', (c) => c.body(value, 200, JSON_TYPE));
app.post('/api/v2/redis', async (c) => {
  const { resource } = await c.req.json();
  return c.body(
    resource.length === 1
      ? stored
      : JSON.stringify({ resource: resource.map(({ key }) => ({ key, success: true })) }),
    201,
    JSON_TYPE,
  );
});
app.get('/api/v2/redis', (c) => {
  const keys = c.req.query('keys').split(',');
  return c.body(
    `{"resource":[${keys.map((key) => `{"key":"${key}","value":"${'x'.repeat(200)}"}`).join(',')}]}`,
    200,
    JSON_TYPE,
  );
});
app.post('/api/v2/queues/bench/jobs', async (c) => {
  const { name } = await c.req.json();
  return name === undefined ? c.body('{}', 400, JSON_TYPE) : c.body(enqueued, 201, JSON_TYPE);
});

serve({ fetch: app.fetch, port: Number(process.env.PORT), hostname: '127.0.0.1' }, () =>
  console.log('listening'),
);
