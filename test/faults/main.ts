/** This file owns the fault harness' command: `npm run faults -- F-02 --cycles 50 --seed 7`. */
import { parseArgs } from 'node:util';
import type { FaultCase } from './case.ts';
import { CASES, findCase } from './cases/index.ts';
import { describe, writeResult, writeSummary } from './report.ts';
import { type Result, runCase } from './runner.ts';

const USAGE = `Does to the product what may happen to it, and looks for every acknowledged job.

  npm run faults -- <case> [<case> ...] [options]
  npm run faults -- --all --report docs/faults

  --all            every case, one after the other
  --list           the cases with their parameters
  --short          the short form of each case
  --seed <number>  of everything that is left to chance; default another one each time
  --report <dir>   writes <case>.md, <case>.json, summary.md and summary.json there
  --keep           leaves the logs of a run that was not clean, and says where
  --<parameter>    of the cases that have it, for example --cycles 50 --acks 200000

The report goes to stdout, progress to stderr. Exit status 0: every target is met; 1: not; 2: wrong arguments.
`;

const names = [...new Set(CASES.flatMap(({ parameters }) => Object.keys(parameters)))];
const { values, positionals } = readArguments();
if (values.help) finish(0, USAGE);
if (values.list) finish(0, list());
const seed = values.seed === undefined ? Date.now() % 1_000_000 : Number(values.seed);
if (!Number.isSafeInteger(seed)) finish(2, `--seed is '${String(values.seed)}', wanted an integer\n`);
const chosen = values.all ? CASES : positionals.map(known);
if (chosen.length === 0) finish(2, USAGE);

const begun = Date.now();
const results: Result[] = [];
let isFailed = false;
for (const [index, fault] of chosen.entries()) {
  const tell = (line: string) => {
    const at = Math.round((Date.now() - begun) / 1_000);
    process.stderr.write(
      `[${String(at).padStart(4)} s, ${index + 1}/${chosen.length}] ${fault.id}: ${line}\n`,
    );
  };
  tell(`${fault.title}, seed ${seed}`);
  try {
    const result = await runCase(fault, {
      ...{ seed, isShort: values.short === true, parameters: givenTo(fault), say: tell },
      ...(values.keep === true && { keep: (folder: string) => tell(`logs are in ${folder}`) }),
    });
    results.push(result);
    process.stdout.write(`${describe(result)}\n`);
    tell(result.isClean ? 'target met' : 'TARGET NOT MET');
    if (typeof values.report === 'string') writeResult(values.report, result);
  } catch (error) {
    isFailed = true;
    tell(`could not be carried out: ${(error as Error).stack}`);
  }
}
if (typeof values.report === 'string' && results.length > 1) writeSummary(values.report, results, seed);
process.exit(!isFailed && results.every(({ isClean }) => isClean) ? 0 : 1);

function readArguments() {
  const flag = { type: 'boolean' } as const;
  const text = { type: 'string' } as const;
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        ...{ all: flag, list: flag, help: flag, short: flag, keep: flag, seed: text, report: text },
        ...Object.fromEntries(names.map((name) => [name, text])),
      },
    });
  } catch (error) {
    return finish(2, `${(error as Error).message}\n\n${USAGE}`);
  }
}

/** Parameters from the command line that this case has. */
function givenTo({ parameters }: FaultCase): Record<string, string> {
  const given = Object.entries(values).filter(([name]) => name in parameters);
  return Object.fromEntries(given.map(([name, value]) => [name, String(value)]));
}

function known(id: string): FaultCase {
  return findCase(id) ?? finish(2, `there is no case '${id}'; --list shows those there are\n`);
}

function list(): string {
  return CASES.map(({ id, title, target, parameters }) => {
    const lines = Object.entries(parameters).map(
      ([name, { says, long, short }]) => `    --${name.padEnd(10)} ${says}; ${long}, short form ${short}\n`,
    );
    return `${id}  ${title}\n    target: ${target}\n${lines.join('')}\n`;
  }).join('');
}

function finish(status: number, text: string): never {
  (status === 0 ? process.stdout : process.stderr).write(text);
  process.exit(status);
}
