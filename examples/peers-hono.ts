/** The shop of `peers.ts`: a plain Hono application. People sign in here, and look at products from the cache. */
import type { AddressInfo } from 'node:net';
import { createAdaptorServer } from '@hono/node-server';
import { type SessionVariables, sessionMiddleware } from '@sluice/session';
import { Hono } from 'hono';
import { loadProduct, openServices } from './peers-services.ts';

const { cache, browser, close } = await openServices('shop');
const app = new Hono<{ Variables: SessionVariables }>();
app.use(sessionMiddleware(browser));

app.post('/sign-in', async (c) => {
  const userId = c.req.query('name') ?? 'nobody';
  await c.get('session').signIn({ userId });
  return c.text(`welcome, ${userId}`);
});

app.get('/products/:id', async (c) => {
  const id = c.req.param('id');
  const entry = await cache.getOrLoad(id, () => loadProduct(id), { ttl: 60, tags: ['products'] });
  return c.body(entry?.text ?? 'null', 200, { 'Content-Type': 'application/json' });
});

const server = createAdaptorServer({ fetch: app.fetch });
server.listen(0, '127.0.0.1', () => {
  process.send?.({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` });
});
process.once('disconnect', () => {
  server.close();
  void close().finally(() => process.exit());
});
