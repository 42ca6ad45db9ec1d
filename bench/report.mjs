/** This file owns what is told of a run: tables of medians, goals with their verdicts, the files in `results`. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, totalmem } from 'node:os';
import { join } from 'node:path';
import { SETTINGS } from './harness.mjs';
import { FOLDER } from './processes.mjs';

/** Beside a load of ours there is none; a core's worth of somebody else's makes every figure here doubtful. */
const BUSY_LOAD = 0.7;
const [loadBefore] = loadavg();

export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

export function percentile(values, share) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
}

export function round(value) {
  if (!Number.isFinite(value)) return '';
  if (value >= 100) return Math.round(value);
  return value >= 1 ? Math.round(value * 100) / 100 : Math.round(value * 1_000) / 1_000;
}

function spread(values) {
  return `${round(Math.min(...values))}–${round(Math.max(...values))}`;
}

/**
 * Holds a case to a goal: `side`'s `metric` by that of the best of `against`, paired within each repetition, at least
 * or at most so much at the median.
 */
export function judge({ rows }, { goal, side, against, metric = 'perSecond', atLeast, atMost }) {
  const runsOf = (name) => {
    const row = rows.find((each) => each.name === name);
    if (!row) throw new TypeError(`no side is called ${name}`);
    return row.runs;
  };
  const isBetter = (one, other) => (atLeast === undefined ? one < other : one > other);
  const pairs = runsOf(side).map((run, index) => {
    const rivals = against.map((name) => runsOf(name)[index]);
    return {
      run,
      rival: rivals.reduce((best, each) => (isBetter(each[metric], best[metric]) ? each : best)),
    };
  });
  const ratios = pairs.map(({ run, rival }) => run[metric] / rival[metric]);
  const ratio = median(ratios);
  return {
    goal,
    wanted: atLeast === undefined ? `≤ ${atMost}` : `≥ ${atLeast}`,
    measured: round(ratio),
    spread: spread(ratios),
    cpuRatio: round(median(pairs.map(({ run, rival }) => run.cpuMicros / rival.cpuMicros))),
    isMet: atLeast === undefined ? ratio <= atMost : ratio >= atLeast,
  };
}

/** Prints the tables of `compare` and the verdicts of `judge`, and keeps them in `results/<name>.md` and `.json`. */
export function reportCases(name, question, { cases, goals = [], notes = [], sections = [] }) {
  const { repetitions, warmUpSeconds, seconds } = SETTINGS;
  const method = [
    `${repetitions} alternating repetitions of ${seconds} s after ${warmUpSeconds} s of warm-up; medians (min–max).`,
    'Ratios are paired within a repetition, to the first row.',
    'The side under test has one core, Redis and the load the other.',
    ...notes,
  ];
  keep(name, question, {
    method,
    goals,
    sections: [...cases.map(caseTable), ...sections],
    record: { cases },
  });
}

function caseTable({ title, rows }) {
  const [base] = rows;
  const head =
    'side | op/s | spread | ratio | ratio spread | p50 ms | p99 ms | own CPU µs/op | Redis CPU µs/op';
  const lines = rows.map(({ name, runs }) => {
    const of = (metric) => runs.map((run) => run[metric]);
    const ratios = runs.map(({ perSecond }, index) => perSecond / base.runs[index].perSecond);
    const rate = (value) => Math.round(value).toLocaleString('en');
    return [
      ...[name, rate(median(of('perSecond')))],
      `${rate(Math.min(...of('perSecond')))}–${rate(Math.max(...of('perSecond')))}`,
      ...[round(median(ratios)), spread(ratios)],
      ...['p50Ms', 'p99Ms', 'ownMicros', 'redisMicros'].map((metric) => round(median(of(metric)))),
    ];
  });
  return table(title, head.split(' | '), lines);
}

export function table(title, head, lines) {
  const row = (cells) => `| ${cells.join(' | ')} |`;
  return [`## ${title}`, '', row(head), row(head.map(() => '---')), ...lines.map(row)].join('\n');
}

/** Goals: { goal, wanted, measured, spread?, cpuRatio?, isMet }. */
function goalTable(goals) {
  return table(
    'Goals',
    ['goal', 'wanted', 'measured', 'spread', 'CPU ratio', ''],
    goals.map(({ goal, wanted, measured, spread: range = '', cpuRatio = '', isMet }) => [
      ...[goal, wanted, measured, range, cpuRatio],
      isMet ? 'met' : '**not met**',
    ]),
  );
}

/** Prints a report and, unless the run was a quick one, keeps it. */
export function keep(name, question, { method, goals, sections, record }) {
  const machine = `${cpus().length} cores (${cpus()[0]?.model.trim()}), ${Math.round(totalmem() / 2 ** 30)} GiB, Node ${process.versions.node}, ${new Date().toISOString().slice(0, 16)} UTC, load before the run ${round(loadBefore)}`;
  const isBusy = loadBefore > BUSY_LOAD * cpus().length;
  const warning = isBusy
    ? ['**Taken on a busy machine: others ran beside it, and the figures are no result.**']
    : [];
  const parts = [
    `# ${question}`,
    ...warning,
    `${machine}.`,
    method.join(' '),
    ...(goals.length > 0 ? [goalTable(goals)] : []),
    ...sections,
  ];
  const text = `${parts.join('\n\n')}\n`;
  if (!process.env.BENCH_QUICK) {
    const folder = join(FOLDER, 'results');
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, `${name}.md`), text);
    const all = { question, machine, isBusy, method, goals, ...record };
    writeFileSync(join(folder, `${name}.json`), `${JSON.stringify(all, null, 2)}\n`);
  }
  process.stdout.write(text);
}
