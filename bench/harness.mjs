/**
 * This file owns how we measure: sides alternate within each repetition, a warm-up before each, CPU per operation from
 * the operating system. Wall-clock rates of a shared machine wander; a ratio is believed when the paired rates and the
 * CPU agree.
 */
import { load } from './load.mjs';
import { cpuMicros } from './processes.mjs';

/** Seconds and repetitions; `BENCH_QUICK=1` to see whether it runs at all, never to quote. */
export const SETTINGS = process.env.BENCH_QUICK
  ? { repetitions: 1, warmUpSeconds: 1, seconds: 1 }
  : {
      repetitions: Number(process.env.BENCH_REPETITIONS ?? 6),
      warmUpSeconds: 1,
      seconds: Number(process.env.BENCH_SECONDS ?? 3),
    };
/** Before the first repetition, so that every side's code is compiled. */
const FIRST_WARM_UP_SECONDS = 2;

/**
 * A side that answers HTTP: { name, server, request, redis?, connections?, operations? (per request, default 1), store? }.
 * A `store` keeps what is enqueued: `empty()` leaves nothing of the run before, `count()` says how much is in it.
 */
export function overHttp({ name, server, redis, request, connections = 64, operations = 1, store }) {
  const run = async (seconds) => {
    const before = cpuMicros(server.pid);
    const { requests, perSecond, ...times } = await load(server, request, seconds, connections);
    const count = requests * operations;
    return {
      count,
      perSecond: perSecond * operations,
      ownMicros: (cpuMicros(server.pid) - before) / count,
      ...times,
    };
  };
  return { name, redis, run, store };
}

/** A side that is a program of its own, without HTTP. */
export function inProcess({ name, program, redis, store }) {
  return { name, redis, run: program.run, store };
}

/** Runs one case: each side in turn, `repetitions` times. Answers every run, in the sides' order. */
export async function compare(title, sides) {
  const { repetitions, warmUpSeconds, seconds } = SETTINGS;
  const rows = sides.map((side) => ({ name: side.name, side, runs: [] }));
  for (const { side } of rows) await side.run(FIRST_WARM_UP_SECONDS);
  for (let repetition = 0; repetition < repetitions; repetition += 1) {
    // The order turns, so that nobody always follows the same neighbour.
    const order = rows.map((_, index) => rows[(index + repetition) % rows.length]);
    for (const { side, runs } of order) {
      await side.store?.empty();
      await side.run(warmUpSeconds);
      runs.push(await measured(side, seconds));
    }
    process.stderr.write(`${title}: repetition ${repetition + 1} of ${repetitions}\n`);
  }
  for (const { side } of rows) await side.store?.empty();
  return { title, rows: rows.map(({ name, runs }) => ({ name, runs })) };
}

/** Rejects when the store holds less than was acknowledged. */
async function measured({ name, run, redis, store }, seconds) {
  const before = redis ? cpuMicros(redis.pid) : 0;
  const result = await run(seconds);
  const redisMicros = redis ? (cpuMicros(redis.pid) - before) / result.count : 0;
  const kept = store ? await store.count() : result.count;
  if (kept < result.count) throw new Error(`${name}: ${result.count} were acknowledged, ${kept} are there`);
  return { ...result, redisMicros, cpuMicros: result.ownMicros + redisMicros };
}
