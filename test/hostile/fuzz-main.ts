/** This file owns the long run by hand: `npm run fuzz -- --requests 10000 --seed 1`. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { startApi } from '../../apps/api/test/harness.ts';
import startRedis from '../redis-server.ts';
import { type FuzzReport, fuzz } from './fuzz.ts';

const USAGE = `Sends requests made from our own OpenAPI document, good and broken, and holds every answer against it.

  npm run fuzz -- [--requests 10000] [--seed <number>]

Starts a Redis and an API of its own. The report goes to test/hostile/results/fuzz.{md,json}. Exit status 1 when an
answer was not as the document says, or a route was never served.
`;

const { values } = parseArgs({
  options: {
    requests: { type: 'string', default: '10000' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    help: { type: 'boolean', default: false },
  },
});
if (values.help) {
  process.stdout.write(USAGE);
  process.exit(0);
}

const cleanUps: (() => Promise<void> | void)[] = [await startRedis()];
let report: FuzzReport;
try {
  const api = await startApi({ onTestFinished: (cleanUp) => void cleanUps.unshift(cleanUp) });
  report = await fuzz({
    url: api.url,
    key: api.key,
    seed: Number(values.seed),
    requests: Number(values.requests),
    say: (line) => process.stderr.write(`${line}\n`),
  });
} finally {
  for (const cleanUp of cleanUps) await cleanUp();
}

const folder = join(import.meta.dirname, 'results');
mkdirSync(folder, { recursive: true });
const at = new Date().toISOString();
writeFileSync(join(folder, 'fuzz.json'), `${JSON.stringify({ at, ...report }, null, 2)}\n`);
const page = describe(report, at);
writeFileSync(join(folder, 'fuzz.md'), page);
process.stdout.write(page);
process.exit(report.faults.length + report.unreached.length === 0 ? 0 : 1);

function describe(
  { seed, requests, broken, durationMs, routes, unreached, faults }: FuzzReport,
  when: string,
): string {
  const rows = Object.entries(routes).map(([id, { requests: sent, statuses }]) => {
    const told = Object.entries(statuses).map(([status, count]) => `${status} × ${count}`);
    return `| ${id} | ${sent} | ${told.join(', ')} |`;
  });
  return [
    '# Generated requests',
    '',
    `${when}, seed ${seed}: ${requests} requests in ${Math.round(durationMs / 1_000)} s, ${broken} of them broken on purpose.`,
    `Answers not as the document says: ${faults.reduce((sum, { count }) => sum + count, 0)}. Routes never served: ${unreached.length === 0 ? 'none' : unreached.join(', ')}.`,
    '',
    ...faults.map(
      ({ route, fault, count, example }) => `- ${route}: ${fault} (${count} times), such as \`${example}\``,
    ),
    ...(faults.length > 0 ? [''] : []),
    '| route | requests | answers |',
    '|---|---|---|',
    ...rows,
    '',
  ].join('\n');
}
