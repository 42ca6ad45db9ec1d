/** This file owns the answer to scalers: the work of a selection of queues, together and each. */
import type { ErrorCode, RouteReply, routes } from '@sluice/contract';
import type { Jobs, QueueView } from '@sluice/jobs';
import { DomainError } from '@sluice/runtime';
import type { Handlers, Principal } from '../http/call.ts';
import { json } from '../http/reply.ts';

/** As a worker's own default. */
const DEFAULT_PER_WORKER = 10;
const DEFAULT_MAX = 100;

type Told = RouteReply<(typeof routes)['getScaling']>;
type Load = Pick<Told, 'backlog' | 'active' | 'oldest_waiting_seconds'>;

export function scalingHandlers({ jobs }: { jobs: Jobs }): Handlers<Pick<typeof routes, 'getScaling'>> {
  return {
    getScaling: async ({ principal, query }) => {
      const {
        queues: selected = ['*'],
        per_worker: perWorker = DEFAULT_PER_WORKER,
        min = 0,
        max = DEFAULT_MAX,
      } = query;
      if (min > max)
        throw new DomainError<ErrorCode>(
          'input_invalid',
          `query.min: ${min} is more than max, which is ${max}`,
        );
      const views = await viewsOf(jobs, principal, selected);
      const suggested = (load: Load) => ({
        ...load,
        suggested_workers: Math.min(max, Math.max(min, Math.ceil((load.backlog + load.active) / perWorker))),
      });
      const loads = views.map(loadOf);
      const together = {
        backlog: loads.reduce((sum, { backlog }) => sum + backlog, 0),
        active: loads.reduce((sum, { active }) => sum + active, 0),
        oldest_waiting_seconds: Math.max(0, ...loads.map((each) => each.oldest_waiting_seconds)),
      };
      return json(200, {
        ...suggested(together),
        queues: views.map(({ name, isPaused, workers }, index) => ({
          name,
          is_paused: isPaused,
          workers,
          ...suggested(loads[index] as Load),
        })),
      } satisfies Told);
    },
  };
}

/** Throws `forbidden` for a queue that is named and may not be read; of those that begin alike it leaves them out. */
async function viewsOf(
  jobs: Jobs,
  { grants }: Principal,
  selected: readonly string[],
): Promise<Pick<QueueView, 'name' | 'isPaused' | 'workers' | 'counts' | 'due' | 'oldestWaitingMs'>[]> {
  const mayRead = (name: string) => grants.allows('jobs', 'read', name);
  const names = selected.filter((each) => !each.endsWith('*'));
  const beginnings = selected.filter((each) => each.endsWith('*')).map((each) => each.slice(0, -1));
  const denied = names.find((name) => !mayRead(name));
  if (denied !== undefined) {
    throw new DomainError<ErrorCode>('forbidden', `This key lacks the scope jobs:read for '${denied}'.`, {
      details: { scope: 'jobs:read' },
    });
  }
  const known = await jobs.queues();
  return known.filter(
    ({ name }) =>
      names.includes(name) || (mayRead(name) && beginnings.some((beginning) => name.startsWith(beginning))),
  );
}

function loadOf({
  isPaused,
  counts,
  due,
  oldestWaitingMs,
}: Pick<QueueView, 'isPaused' | 'counts' | 'due' | 'oldestWaitingMs'>): Load {
  return {
    backlog: isPaused ? 0 : counts.waiting + counts.prioritized + due,
    active: counts.active,
    oldest_waiting_seconds: isPaused ? 0 : (oldestWaitingMs ?? 0) / 1_000,
  };
}
