/** What does it cost to know a visitor by his session, beside express-session with connect-redis? */
import { compare, overHttp } from './harness.mjs';
import { startRedis, startRival } from './processes.mjs';
import { judge, reportCases } from './report.mjs';

const RIVAL = 'Express, express-session, connect-redis';
const STORE = "Express, express-session, Sluice's store";
const OURS = "Hono, Sluice's middleware";

async function side(name, kind) {
  const redis = await startRedis();
  const server = await startRival('sessions.mjs', redis, { KIND: kind });
  const login = await fetch(`${server.url}/login`, { method: 'POST' });
  const cookie = login.headers
    .getSetCookie()
    .map((each) => each.split(';', 1)[0])
    .join('; ');
  const who = await fetch(`${server.url}/who`, { headers: { cookie } });
  const visitor = await who.text();
  if (visitor !== 'ada') throw new Error(`${name} knows '${visitor}'`);
  return overHttp({
    name,
    server: { ...server, headers: { Cookie: cookie } },
    redis,
    request: { path: '/who' },
  });
}

const read = await compare('A request with a session, 64 connections', [
  await side(RIVAL, 'connect-redis'),
  await side(STORE, 'express'),
  await side(OURS, 'hono'),
]);
reportCases('sessions', 'What does it cost to know a visitor by his session, beside connect-redis?', {
  cases: [read],
  goals: [STORE, OURS].map((name) =>
    judge(read, { goal: `session read: ${name} / connect-redis`, side: name, against: [RIVAL], atLeast: 1 }),
  ),
  notes: ['Every side keeps the same data for one visitor and reads it for each request.'],
});
process.exit(0);
