/** The till of `peers.ts`: a plain Express application. Whoever signed in at the shop orders here, three times an hour. */
import type { AddressInfo } from 'node:net';
import { limitHeaders } from '@sluice/rate-limit';
import { BrowserSession } from '@sluice/session';
import express from 'express';
import { loadProduct, MAIL_QUEUE, openServices } from './peers-services.ts';

const { cache, limiter, browser, jobs, close } = await openServices('till');
const app = express();

app.post('/orders/:id', async (request, response) => {
  const visitor = await BrowserSession.open(
    {
      method: request.method,
      header: (name) => request.get(name),
      setHeader: (name, value) => void response.setHeader(name, value),
      addCookie: (cookie) => void response.append('Set-Cookie', cookie),
    },
    browser,
  );
  const userId = visitor.current?.userId;
  if (!userId) {
    response.status(401).send('sign in at the shop');
    return;
  }
  const decision = await limiter.take({ policy: 'orders', key: userId });
  response.set(limitHeaders(decision));
  if (!decision.isAllowed) {
    response.status(429).send('three orders an hour');
    return;
  }
  const { id } = request.params;
  const product = await cache.getOrLoad(id, () => loadProduct(id), { ttl: 60, tags: ['products'] });
  // The browser may send its order twice; the customer gets one receipt for each number.
  const receipt = await jobs.enqueue(MAIL_QUEUE, {
    name: 'receipt',
    data: { userId, product: product?.value },
    idempotencyKey: `receipt-${request.query.number}`,
  });
  response.status(202).send(receipt.id);
});

const server = app.listen(0, '127.0.0.1', () => {
  process.send?.({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` });
});
process.once('disconnect', () => {
  server.close();
  void close().finally(() => process.exit());
});
