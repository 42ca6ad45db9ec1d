/** This file owns the long load by hand: `npm run soak -- --minutes 30`. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { OwnRedis, startProduct } from '../e2e/product.ts';
import { theilSen } from './slope.ts';
import { type Sample, soak } from './soak.ts';

const USAGE = `Loads a product of its own with jobs, leases, values, limits, sessions and event streams, and looks whether anything grows.

  npm run soak -- [--minutes 30]

The report goes to test/hostile/results/soak.{md,json}: slopes (Theil-Sen) of the samples after the first third.
Exit status 1 when a request was answered wrongly.
`;
const MEASURES = [
  'apiRssMiB',
  'apiHeapMiB',
  'apiFds',
  'workerRssMiB',
  'workerFds',
  'redisMiB',
  'redisKeys',
] as const;
const NAMES: Readonly<Record<(typeof MEASURES)[number], string>> = {
  apiRssMiB: 'API, resident MiB',
  apiHeapMiB: 'API, heap in use MiB',
  apiFds: 'API, open files and sockets',
  workerRssMiB: 'worker, resident MiB',
  workerFds: 'worker, open files and sockets',
  redisMiB: 'Redis, used_memory MiB',
  redisKeys: 'Redis, keys',
};

const { values } = parseArgs({
  options: { minutes: { type: 'string', default: '30' }, help: { type: 'boolean', default: false } },
});
if (values.help) {
  process.stdout.write(USAGE);
  process.exit(0);
}

const cleanUps: (() => Promise<void> | void)[] = [];
const cleaner = { onTestFinished: (cleanUp: () => Promise<void> | void) => void cleanUps.unshift(cleanUp) };
let samples: Sample[];
try {
  const redis = await OwnRedis.start(cleaner);
  const product = await startProduct(cleaner, redis.url, { ACCESS_LOG: 'errors', SESSION_DRIVER: 'redis' });
  const minutes = Number(values.minutes);
  const say = (sample: Sample) => process.stderr.write(`${JSON.stringify(sample)}\n`);
  samples = await soak({ product, redis: redis.adminConfig, minutes, say });
} finally {
  for (const cleanUp of cleanUps) await cleanUp();
}

const warm = samples.slice(Math.floor(samples.length / 3));
const last = samples.at(-1);
const rows = MEASURES.map((measure) => {
  const series = warm.map((sample) => sample[measure]).sort((a, b) => a - b);
  const perHour = theilSen(warm.map((sample) => ({ x: sample.seconds / 3_600, y: sample[measure] })));
  const at = (share: number) =>
    rounded(series[Math.min(series.length - 1, Math.floor(series.length * share))] ?? 0);
  return { measure, lowest: at(0), median: at(0.5), highest: at(1), perHour: rounded(perHour) };
});
const folder = join(import.meta.dirname, 'results');
mkdirSync(folder, { recursive: true });
const at = new Date().toISOString();
writeFileSync(join(folder, 'soak.json'), `${JSON.stringify({ at, slopes: rows, samples }, null, 2)}\n`);
const page = [
  '# Soak',
  '',
  `${at}: ${last?.requests ?? 0} requests in ${Math.round((last?.seconds ?? 0) / 60)} minutes, ${last?.wrong ?? 0} answered wrongly. Slopes are of the last two thirds (Theil-Sen).`,
  '',
  '| measure | lowest | median | highest | slope an hour |',
  '|---|---|---|---|---|',
  ...rows.map(
    ({ measure, lowest, median, highest, perHour }) =>
      `| ${NAMES[measure]} | ${lowest} | ${median} | ${highest} | ${perHour} |`,
  ),
  '',
].join('\n');
writeFileSync(join(folder, 'soak.md'), page);
process.stdout.write(page);
process.exit(last?.wrong === 0 ? 0 : 1);

function rounded(value: number): number {
  return Math.round(value * 100) / 100;
}
