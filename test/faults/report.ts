/** This file owns the reports: what cases found, as JSON for programs and as Markdown for people. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import type { Quantiles, Verdict } from './checker.ts';
import type { Result } from './runner.ts';

export interface Totals {
  acknowledged: number;
  unknown: number;
  lost: number;
  /** Calls of the sink beyond the first of each job. */
  repeated: number;
  faults: number;
}

/** A page and a file of figures for one case. */
export function writeResult(folder: string, result: Result): void {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, `${result.id}.json`), `${JSON.stringify(result, null, 2)}\n`);
  writeFileSync(join(folder, `${result.id}.md`), describe(result));
}

/** All cases of one run: `summary.md` and `summary.json`. */
export function writeSummary(folder: string, results: readonly Result[], seed: number): void {
  mkdirSync(folder, { recursive: true });
  const whole = { seed, machine: machine(), totals: totalsOf(results), cases: results };
  writeFileSync(join(folder, 'summary.json'), `${JSON.stringify(whole, null, 2)}\n`);
  writeFileSync(join(folder, 'summary.md'), summarise(results, seed));
}

export function totalsOf(results: readonly Result[]): Totals {
  const totals: Totals = { acknowledged: 0, unknown: 0, lost: 0, repeated: 0, faults: 0 };
  for (const { outcome } of results) {
    totals.acknowledged += (outcome.verdict?.acknowledged ?? 0) + (outcome.acknowledged ?? 0);
    totals.unknown += outcome.verdict?.unknown ?? 0;
    totals.lost += outcome.verdict?.lost ?? 0;
    totals.repeated += outcome.verdict?.repeated ?? 0;
    totals.faults += faultCount(outcome.faults);
  }
  return totals;
}

function summarise(results: readonly Result[], seed: number): string {
  const { acknowledged, unknown, lost, repeated, faults } = totalsOf(results);
  const rows = results.map(({ id, title, seconds, outcome, isClean }) => [
    `[${id}](${id}.md)`,
    title,
    outcome.verdict ? count(outcome.verdict.acknowledged + (outcome.acknowledged ?? 0)) : '-',
    count(faultCount(outcome.faults)),
    outcome.verdict ? count(outcome.verdict.lost) : '-',
    isClean ? 'yes' : 'no',
    `${seconds} s`,
  ]);
  return `# Faults: the whole run

Seed ${seed}. ${count(acknowledged)} acknowledged jobs, ${count(faults)} faults, **${count(lost)} lost**. ${count(unknown)} jobs whose callers were left without an answer, ${count(repeated)} calls repeated. ${machine()}.

${table(['case', 'what is done', 'acknowledged', 'faults', 'lost', 'target met', 'time'], rows)}
${results
  .filter(({ isClean }) => !isClean)
  .map(missed)
  .join('')}`;
}

/** What of a case did not hold. */
function missed({ id, outcome }: Result): string {
  const broken = (outcome.verdict?.invariants ?? []).filter(({ holds }) => !holds);
  const lines = [
    ...broken.map(({ id: name, says, found }) => `- ${name} (${says}): ${found}`),
    ...outcome.findings
      .filter(({ holds }) => !holds)
      .map(
        ({ what, target, measured, note }) =>
          `- ${what}: ${measured}, wanted ${target}${note ? `. ${note}` : ''}`,
      ),
  ];
  return `\n## Not met in ${id}\n\n${lines.join('\n')}\n`;
}

export function describe(result: Result): string {
  const { id, title, about, target, seed, parameters, startedAt, seconds, outcome, isClean } = result;
  const form = Object.entries(parameters).map(([name, value]) => `--${name} ${value}`);
  const faults = Object.entries(outcome.faults).map(([name, times]) => `${name} ×${times}`);
  const findings = outcome.findings.map(({ what, target: wanted, measured, holds, note }) => [
    what,
    wanted,
    measured,
    holds ? 'yes' : 'no',
    note ?? '',
  ]);
  return `# ${id}: ${title}

${about}

Target: ${target}. **${isClean ? 'Met' : 'Not met'}.**

\`npm run faults -- ${[id, ...form, `--seed ${seed}`].join(' ')}\`, ${startedAt}, ${seconds} s. ${outcome.topology}. ${machine()}.

Faults: ${faults.join(', ') || 'none'}.
${findings.length > 0 ? `\n${table(['figure', 'target', 'measured', 'met', 'note'], findings)}` : ''}${outcome.verdict ? `\n${describeVerdict(outcome.verdict)}` : ''}${outcome.text ? `\n${outcome.text}` : ''}`;
}

function describeVerdict(verdict: Verdict): string {
  const invariants = verdict.invariants.map(({ id, says, holds, found }) => [
    id,
    says,
    holds ? 'yes' : 'no',
    found,
  ]);
  const times = [
    ['from acknowledged (and due) to done', verdict.latencyMs],
    ['from a first call to its repetition', verdict.redeliveryMs],
    ['answers of the API', verdict.answerMs],
  ] as const;
  const answers = Object.entries(verdict.answers).map(([code, times]) => `${code} ×${count(times)}`);
  return `${count(verdict.acknowledged)} jobs acknowledged, ${count(verdict.unknown)} unknown, ${count(verdict.refused)} refused; ${count(verdict.effects)} effects, ${count(verdict.lost)} lost, ${count(verdict.repeated)} calls repeated. Answers: ${answers.join(', ')}.

${table(['invariant', 'says', 'holds', 'found'], invariants)}
${table(
  ['time', 'count', 'p50', 'p99', 'max'],
  times.map(([what, { count: seen, p50, p99, max }]: readonly [string, Quantiles]) => [
    what,
    count(seen),
    ...[p50, p99, max].map((ms) => `${count(Math.round(ms))} ms`),
  ]),
)}`;
}

function table(heads: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return `${[line(heads), line(heads.map(() => '---')), ...rows.map(line)].join('\n')}\n`;
}

function faultCount(faults: Readonly<Record<string, number>>): number {
  return Object.values(faults).reduce((sum, times) => sum + times, 0);
}

function count(value: number): string {
  return value.toLocaleString('en-US');
}

function machine(): string {
  const redis = /v=([\d.]+)/.exec(execFileSync('redis-server', ['--version'], { encoding: 'utf8' }))?.[1];
  return `Node ${process.versions.node}, Redis ${redis}, ${cpus().length} CPUs`;
}
