/** The shop of `shared-session.ts`: Hono with the middleware of `@sluice/session`. */

import { serve } from '@hono/node-server';
import { type SessionVariables, sessionMiddleware } from '@sluice/session';
import { Hono } from 'hono';
import { openSessions } from './shared-session-store.ts';

const options = await openSessions('shop');
const app = new Hono<{ Variables: SessionVariables }>();
app.use(sessionMiddleware(options));

app.post('/sign-in', async (c) => {
  // A real one looks at a password here; the generation, read before it, makes a sign-out everywhere win over us.
  const userId = c.req.query('name') ?? 'nobody';
  const generation = await options.sessions.generation(userId);
  await c.get('session').signIn({ userId, generation, data: { theme: 'light' } });
  // A cookie that scripts of our pages read and send back, on either application.
  c.get('session').csrfToken();
  return c.text(`welcome, ${userId}`);
});

app.get('/me', (c) => {
  const { current } = c.get('session');
  return c.text(current ? `${current.userId}, with ${current.data.text}` : 'nobody is signed in');
});

const server = serve({ fetch: app.fetch, hostname: '127.0.0.1', port: 0 }, ({ port }) => {
  process.send?.(`http://127.0.0.1:${port}`);
});
process.once('disconnect', () => {
  server.close();
  process.exit();
});
