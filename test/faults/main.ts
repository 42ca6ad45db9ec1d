/** This file owns the long fault run by hand: `npm run crash -- --jobs 20000 --seconds 120 --every 2 --seed 1`. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type CrashReport, crashWorkers, type Kind } from './worker-crash.ts';

const USAGE = `Kills workers while jobs go in, and looks for every acknowledged job.

  npm run crash -- [--jobs 20000] [--seconds 120] [--every 2] [--seed <number>]

Jobs of three kinds, a third each: run by worker processes, by workers over HTTP, as deliveries. The report goes to
test/faults/results/worker-crash.{md,json}. Exit status 1 when a job was lost, failed or left behind.
`;

const { values } = parseArgs({
  options: {
    jobs: { type: 'string', default: '20000' },
    seconds: { type: 'string', default: '120' },
    every: { type: 'string', default: '2' },
    seed: { type: 'string', default: String(Date.now() % 100_000) },
    help: { type: 'boolean', default: false },
  },
});
if (values.help) {
  process.stdout.write(USAGE);
  process.exit(0);
}

const cleanUps: (() => Promise<void> | void)[] = [];
const number = (name: 'jobs' | 'seconds' | 'every' | 'seed') => {
  const value = Number(values[name]);
  if (Number.isFinite(value) && value >= 0) return value;
  process.stderr.write(`--${name} is '${values[name]}', wanted a number\n`);
  process.exit(2);
};
let report: CrashReport;
try {
  report = await crashWorkers(
    { onTestFinished: (cleanUp) => void cleanUps.unshift(cleanUp) },
    {
      jobs: number('jobs'),
      seconds: number('seconds'),
      killEverySeconds: number('every'),
      seed: number('seed'),
      say: (line) => process.stderr.write(`${line}\n`),
    },
  );
} finally {
  for (const cleanUp of cleanUps) await cleanUp();
}

const folder = join(import.meta.dirname, 'results');
mkdirSync(folder, { recursive: true });
const at = new Date().toISOString();
writeFileSync(join(folder, 'worker-crash.json'), `${JSON.stringify({ at, ...report }, null, 2)}\n`);
const page = describe(report, at);
writeFileSync(join(folder, 'worker-crash.md'), page);
process.stdout.write(page);
const isClean = Object.values(report.kinds).every((kind) => kind.lost + kind.failed + kind.unfinished === 0);
process.exit(isClean ? 0 : 1);

function describe({ options, kills, settledSeconds, kinds }: CrashReport, time: string): string {
  const names: Record<Kind, string> = {
    native: 'worker processes',
    leased: 'workers over HTTP',
    delivery: 'deliveries',
  };
  const rows = (Object.entries(kinds) as [Kind, CrashReport['kinds'][Kind]][]).map(
    ([kind, { acknowledged, effects, lost, repeated, failed, unfinished }]) =>
      `| ${[names[kind], acknowledged, effects, lost, failed, unfinished, repeated].join(' | ')} |`,
  );
  return `# Workers killed while they work

${time}. ${options.jobs} jobs in ${options.seconds} s, \`kill -9\` to one of four workers every ${options.killEverySeconds} s: ${kills} kills, seed ${options.seed}. The last job ended ${settledSeconds} s after the last kill. Redis with \`appendfsync always\`.

| run as | acknowledged | effects | lost | failed | unfinished | calls repeated |
| --- | --- | --- | --- | --- | --- | --- |
${rows.join('\n')}

An effect is what a job does to a sink outside, once per idempotency key; a repeated call is a job that was done, whose worker was killed before it could say so.
`;
}
