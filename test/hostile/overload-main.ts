/** This file owns the overload by hand: `npm run overload -- --seconds 15`. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { KEY, OwnRedis, startProduct } from '../e2e/product.ts';
import { enqueueing, offer, type Phase } from './overload.ts';

const USAGE = `Finds how many requests a second one API serves, sends three times as many, and looks whether it serves on.

  npm run overload -- [--seconds 15] [--jobs 50]

Each request enqueues --jobs jobs. Starts a Redis, an API and a worker of its own. The report goes to
test/hostile/results/overload.{md,json}. Exit status 1 when less than 80 % of the peak was served, something was neither
served nor sent away with Retry-After, memory grew by more than 300 MiB, or it did not recover within 5 s.
`;
const MIN_GOODPUT = 0.8;
const OVERLOAD = 3;
const MAX_GROWTH_MIB = 300;
const RECOVERY_SECONDS = 5;

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '15' },
    jobs: { type: 'string', default: '50' },
    help: { type: 'boolean', default: false },
  },
});
if (values.help) {
  process.stdout.write(USAGE);
  process.exit(0);
}

const seconds = Number(values.seconds);
const jobs = Number(values.jobs);
const cleanUps: (() => Promise<void> | void)[] = [];
const cleaner = { onTestFinished: (cleanUp: () => Promise<void> | void) => void cleanUps.unshift(cleanUp) };
const phases: Phase[] = [];
let capacity = 0;
try {
  const redis = await OwnRedis.start(cleaner, ['--appendonly', 'no']);
  const product = await startProduct(cleaner, redis.url, { ACCESS_LOG: 'errors' });
  await product.worker.kill();
  const target = { url: product.url, pid: product.api.pid };
  const run = async (name: string, offeredPerSecond: number, length = seconds) => {
    // A queue for each phase, emptied before the next.
    const queue = `overload-${phases.length}`;
    const request = enqueueing({ path: `/api/v2/queues/${queue}/jobs`, key: KEY, jobs });
    const phase = await offer({ ...target, name, request, seconds: length, offeredPerSecond });
    phases.push(phase);
    process.stderr.write(`${JSON.stringify(phase)}\n`);
    await product.call(`/queues/${queue}/obliterate`, {
      method: 'POST',
      json: { force: true },
      headers: { 'X-Confirm': queue },
    });
    return phase;
  };
  await run('warming up', 100, 3);
  for (let rate = 200; ; rate = Math.round(rate * 1.4)) {
    const { goodPerSecond } = await run(`looking for the peak`, rate, 4);
    if (goodPerSecond <= capacity * 1.05 || goodPerSecond < rate * 0.8) {
      capacity = Math.max(capacity, goodPerSecond);
      break;
    }
    capacity = goodPerSecond;
  }
  await run('three times the peak', capacity * OVERLOAD);
  await run('half the peak, at once behind it', Math.round(capacity / 2), RECOVERY_SECONDS);
} finally {
  for (const cleanUp of cleanUps) await cleanUp();
}

const [over, after] = phases.slice(-2) as [Phase, Phase];
const growth = over.peakRssMiB - (phases[0]?.peakRssMiB ?? 0);
const goals: [string, string, boolean][] = [
  [
    'served at three times the peak',
    `${Math.round((100 * over.goodPerSecond) / capacity)} % of it, wanted 80`,
    over.goodPerSecond >= MIN_GOODPUT * capacity,
  ],
  ['neither served nor sent away with Retry-After', `${over.wrong}`, over.wrong === 0],
  ['memory above that at rest', `${growth} MiB, at most ${MAX_GROWTH_MIB}`, growth <= MAX_GROWTH_MIB],
  [
    'sent away or wrong in the 5 s behind it',
    `${after.shedPerSecond * after.seconds + after.wrong}`,
    after.wrong === 0 && after.goodPerSecond >= 0.95 * after.offeredPerSecond,
  ],
];
const folder = join(import.meta.dirname, 'results');
mkdirSync(folder, { recursive: true });
const at = new Date().toISOString();
writeFileSync(join(folder, 'overload.json'), `${JSON.stringify({ at, jobs, capacity, phases }, null, 2)}\n`);
const page = [
  '# Overload',
  '',
  `${at}: requests that enqueue ${jobs} jobs each, sent whether or not those before are answered. The load shares the machine.`,
  '',
  '| goal | measured | met |',
  '|---|---|---|',
  ...goals.map(([name, measured, isMet]) => `| ${name} | ${measured} | ${isMet ? 'yes' : 'no'} |`),
  '',
  '| phase | offered/s | served/s | sent away/s | neither | not offered | p50 ms | p99 ms | memory MiB |',
  '|---|---|---|---|---|---|---|---|---|',
  ...phases.map(
    (each) =>
      `| ${each.name} | ${each.offeredPerSecond} | ${each.goodPerSecond} | ${each.shedPerSecond} | ${each.wrong} | ${each.unsent} | ${each.p50Ms} | ${each.p99Ms} | ${each.peakRssMiB} |`,
  ),
  '',
].join('\n');
writeFileSync(join(folder, 'overload.md'), page);
process.stdout.write(page);
process.exit(goals.every(([, , isMet]) => isMet) ? 0 : 1);
