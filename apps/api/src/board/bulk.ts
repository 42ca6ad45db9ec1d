/** This file owns actions on many jobs: so many at a click, in steps between which Redis serves others. */
import type { ErrorCode } from '@sluice/contract';
import type { MassResult } from '@sluice/jobs';
import { type CleanedState, cleanedStateSchema } from '@sluice/jobs/schemas';
import { redisFault } from '@sluice/redis';
import { DomainError } from '@sluice/runtime';
import type { Job, JobType, Queue } from './bullmq.ts';

/** Jobs that one click runs again, or promotes, one by one; the rest waits for the next click. */
export const MAX_BULK_JOBS = 1_000;
const STEP = 100;
/** How long one click sweeps: about a million jobs. What is left goes with the next. */
const SWEEP_BUDGET_MS = 20_000;
/** The last step may take a second, and a retry of its own. */
export const MASS_DEADLINE_MS = 25_000;

/** A step of a mass action of `@sluice/jobs`: about a second, in calls that hold Redis for some milliseconds. */
type Step = (cursor: string | undefined) => Promise<MassResult>;

/** Steps until all is done, or the budget is used up. Answers how many jobs were removed, or moved. */
export async function sweep(step: Step, budgetMs: number = SWEEP_BUDGET_MS): Promise<number> {
  const until = performance.now() + budgetMs;
  let affected = 0;
  let cursor: string | undefined;
  do {
    const swept = await step(cursor);
    affected += swept.affected;
    if (swept.next === null) return affected;
    cursor = swept.next;
  } while (performance.now() < until);
  return affected;
}

/** Bull Board's word for a state in which jobs are removed. Throws `input_invalid` for any other. */
export function removableState(state: string): CleanedState {
  const named = state === 'wait' ? 'waiting' : state;
  const { data } = cleanedStateSchema.safeParse(named);
  if (data === undefined) {
    throw new DomainError<ErrorCode>('input_invalid', `Jobs that are ${state} are not removed here.`);
  }
  return data;
}

/**
 * Acts on the first `MAX_BULK_JOBS` of a state and answers on how many. One that has left the state meanwhile is passed
 * over; when Redis goes away, that is thrown.
 */
export async function actOnSome(
  queue: Queue,
  state: JobType,
  act: (job: Job) => Promise<void>,
): Promise<number> {
  const ids = await queue.getRanges([state], 0, MAX_BULK_JOBS - 1);
  let done = 0;
  for (let from = 0; from < ids.length; from += STEP) {
    const step = ids.slice(from, from + STEP);
    const outcomes = await Promise.all(step.map((id) => actOn(queue, id, act)));
    done += outcomes.filter((isDone) => isDone).length;
  }
  return done;
}

async function actOn(queue: Queue, id: string, act: (job: Job) => Promise<void>): Promise<boolean> {
  const job = await queue.getJob(id);
  if (!job) return false;
  try {
    await act(job);
    return true;
  } catch (error) {
    if (redisFault(error)) throw error;
    return false;
  }
}
