/**
 * The forum of `shared-session.ts`: Express. `BrowserSession` knows no framework, so its middleware is the few lines below.
 * (For an application that has express-session already there is the `SessionStore` of `@sluice/session`; its cookies are
 * express-session's own, and no other framework reads them.)
 */
import type { AddressInfo } from 'node:net';
import { BrowserSession } from '@sluice/session';
import express, { type Response } from 'express';
import { openSessions } from './shared-session-store.ts';

const options = await openSessions('forum');
const app = express();

app.use(async (request, response, next) => {
  const exchange = {
    method: request.method,
    header: (name: string) => request.get(name),
    setHeader: (name: string, value: string) => void response.setHeader(name, value),
    addCookie: (cookie: string) => void response.append('Set-Cookie', cookie),
  };
  response.locals.session = await BrowserSession.open(exchange, options);
  next();
});

app.get('/me', (_, response) => {
  const { current } = sessionOf(response);
  response.send(current ? `${current.userId}, with ${current.data.text}` : 'nobody is signed in');
});

app.post('/theme', async (request, response) => {
  const theme = String(request.query.name);
  await sessionOf(response).update((data) => ({ ...data, theme }));
  response.send(`the theme is ${theme}`);
});

app.post('/sign-out', async (_, response) => {
  await sessionOf(response).signOut();
  response.send('signed out');
});

function sessionOf(response: Response): BrowserSession {
  return response.locals.session as BrowserSession;
}

const server = app.listen(0, '127.0.0.1', () => {
  process.send?.(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
});
process.once('disconnect', () => {
  server.close();
  process.exit();
});
