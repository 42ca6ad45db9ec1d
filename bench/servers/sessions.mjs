/** This file owns servers that know a visitor by his session: Express with connect-redis, Express with our store, Hono with our middleware. */
import { randomBytes } from 'node:crypto';
import { serve } from '@hono/node-server';
import { RedisStore } from 'connect-redis';
import express from 'express';
import session from 'express-session';
import { Hono } from 'hono';
import { createClient } from 'redis';
import {
  Csrf,
  RedisSessionDriver,
  SessionCookie,
  SessionStore,
  Sessions,
  sessionMiddleware,
} from '../../packages/session/dist/index.js';
import { keys, openClient } from '../programs/ours.mjs';

const DATA = { userId: 'ada', cart: ['tea', 'cups'], note: 'x'.repeat(200) };
const port = Number(process.env.PORT);
const listening = () => console.log('listening');
const secret = randomBytes(32);

async function onExpress(store) {
  const app = express();
  app.use(session({ store, secret: secret.toString('hex'), resave: false, saveUninitialized: false }));
  app.post('/login', (request, response) => {
    Object.assign(request.session, DATA);
    response.send('in');
  });
  app.get('/who', (request, response) => response.send(request.session.userId ?? 'nobody'));
  app.listen(port, '127.0.0.1', listening);
}

const openDriver = async () => new RedisSessionDriver({ client: await openClient(), keys });

const kinds = {
  'connect-redis': async () => {
    const client = createClient({ url: process.env.REDIS_URL });
    await client.connect();
    await onExpress(new RedisStore({ client }));
  },
  express: async () => onExpress(new SessionStore({ session, driver: await openDriver(), secret })),
  hono: async () => {
    const sessions = new Sessions({ driver: await openDriver(), secret });
    const app = new Hono();
    app.use(
      sessionMiddleware({
        sessions,
        cookie: new SessionCookie({ keys: [secret] }),
        csrf: new Csrf({ keys: [secret] }),
      }),
    );
    app.post('/login', async (c) => {
      await c.get('session').signIn({ userId: DATA.userId, data: DATA });
      return c.text('in');
    });
    app.get('/who', (c) => c.text(c.get('session').current?.userId ?? 'nobody'));
    serve({ fetch: app.fetch, port, hostname: '127.0.0.1' }, listening);
  },
};
await kinds[process.env.KIND]();
