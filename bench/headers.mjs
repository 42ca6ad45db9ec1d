/** What do our headers cost (request id, nosniff, no-store), beside the same Hono handler without them? */
import { compare, overHttp } from './harness.mjs';
import { startRival } from './processes.mjs';
import { reportCases } from './report.mjs';

const bare = await startRival('bare.mjs');
const side = (name, path) => overHttp({ name, server: bare, request: { path } });

const cases = [
  await compare('GET, one core', [side('bare Hono handler', '/livez'), side('with our headers', '/headers')]),
];
reportCases('headers', 'What do the headers of every answer cost, beside bare Hono?', { cases });
process.exit(0);
