/** This file owns the waits for a part that has been started: until it serves, and not for ever. */
import { setTimeout as wait } from 'node:timers/promises';
import { CommandFailure } from '../failure.ts';
import type { MemberRun } from './member.ts';

/** Half a second is usual; a slow disk and a cold cache are given their time. */
const READY_DEADLINE_MS = 30_000;
const STOP_DEADLINE_MS = 5_000;
const OPEN_DEADLINE_MS = 5_000;
const OPEN_POLL_MS = 25;

/**
 * The run, once `ready` has settled well or somebody has asked to stop. `ready` gets a signal that ends its own wait.
 * Otherwise the run is ended, and the failure carries its last lines: they say why.
 */
export async function untilReady(
  run: MemberRun,
  options: { name: string; ready: (until: AbortSignal) => Promise<unknown>; asked: Promise<unknown> },
): Promise<MemberRun> {
  const { name, ready, asked } = options;
  const settled = new AbortController();
  const step = await Promise.race([
    ready(settled.signal).then(() => 'ready' as const),
    asked.then(() => 'asked' as const),
    run.ended.then(() => 'ended' as const),
    wait(READY_DEADLINE_MS, 'late' as const, { signal: settled.signal }),
  ]);
  settled.abort();
  if (step === 'ready' || step === 'asked') return run;
  if (step === 'late') await run.stop(AbortSignal.timeout(STOP_DEADLINE_MS));
  const { reason, lastLines } = await run.ended;
  const how =
    step === 'late' ? `was not ready within ${READY_DEADLINE_MS / 1_000} s` : `ended with ${reason}`;
  throw new CommandFailure([`The ${name} did not start: it ${how}.`, ...lastLines].join('\n'));
}

/** Whether the API answers that it can serve, within `OPEN_DEADLINE_MS`: it listens before Redis has greeted it. */
export async function untilOpen(url: string, asked: Promise<unknown>): Promise<boolean> {
  const until = performance.now() + OPEN_DEADLINE_MS;
  let isAsked = false;
  void asked.then(() => {
    isAsked = true;
  });
  while (performance.now() < until && !isAsked) {
    const answer = await fetch(`${url}/readyz`).catch(() => undefined);
    await answer?.body?.cancel();
    if (answer?.ok) return true;
    await wait(OPEN_POLL_MS);
  }
  return false;
}
