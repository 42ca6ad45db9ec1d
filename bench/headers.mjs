/** What do our headers cost (request id, nosniff, no-store), beside the same Hono handler without them? */
import { compare, overHttp } from './harness.mjs';
import { startRival } from './processes.mjs';
import { judge, reportCases } from './report.mjs';

const BARE = 'bare Hono handler';
const HEADERS = 'with our headers';

const bare = await startRival('bare.mjs');
const side = (name, path) => overHttp({ name, server: bare, request: { path } });

const get = await compare('GET, one core', [side(BARE, '/livez'), side(HEADERS, '/headers')]);
reportCases('headers', 'What do the headers of every answer cost, beside bare Hono?', {
  cases: [get],
  goals: [judge(get, { goal: 'rate with our headers', side: HEADERS, against: [BARE], atLeast: 0.75 })],
});
process.exit(0);
