/** This file owns actions on many jobs: so many at a click, in steps between which Redis serves others. */
import type { ErrorCode } from '@sluice/contract';
import { redisFault } from '@sluice/redis';
import { DomainError } from '@sluice/runtime';
import type { Job, JobType, Queue } from './bullmq.ts';

/** Jobs that one click removes, retries or promotes; the rest waits for the next click. */
export const MAX_BULK_JOBS = 1_000;
const STEP = 100;
/** BullMQ takes whatever name it is given for one of its keys. */
const REMOVABLE = ['completed', 'failed', 'delayed', 'wait', 'prioritized'] as const;

/** Removes the first `MAX_BULK_JOBS` of a state that are older than `graceMs`, in one script. */
export async function removeSome(queue: Queue, state: string, graceMs: number): Promise<void> {
  const known = REMOVABLE.find((each) => each === state);
  if (!known)
    throw new DomainError<ErrorCode>('input_invalid', `Jobs that are ${state} are not removed here.`);
  await queue.clean(graceMs, MAX_BULK_JOBS, known);
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
