/** This file owns the answers that stream what happens to jobs. */
import type { KeyRing } from '@sluice/access';
import type { routes } from '@sluice/contract';
import type { Jobs, QueueEvent } from '@sluice/jobs';
import { stringifyCarrying } from '@sluice/runtime';
import type { Call, Handlers } from '../http/call.ts';
import { eventStream, type Feed, type ServerEvent } from '../http/event-stream.ts';
import type { Reply } from '../http/reply.ts';

type JobEventRoutes = Pick<typeof routes, 'streamQueueEvents' | 'streamJobEvents'>;

export function jobEventHandlers(services: {
  jobs: Jobs;
  keyRing: KeyRing;
  stopping: AbortSignal;
}): Handlers<JobEventRoutes> {
  const { jobs, keyRing, stopping } = services;

  const stream = async (
    call: Call,
    queue: string,
    jobId: string | undefined,
    after: string | undefined,
  ): Promise<Reply> => {
    // The header is a browser's that comes back, and knows better than the address it first asked for.
    const afterId = call.header('last-event-id') || after;
    const ending = new AbortController();
    const events = await jobs.subscribe(queue, { jobId, afterId, signal: ending.signal });
    return eventStream({
      feed: feedOf(events, ending),
      position: afterId ?? '',
      stopping,
      isAllowed: () => keyRing.principal(call.principal.id)?.grants.allows('jobs', 'read', queue) ?? false,
    });
  };

  return {
    streamQueueEvents: (call) => stream(call, call.params.queue, undefined, call.query.last_event_id),
    streamJobEvents: (call) => stream(call, call.params.queue, call.params.id, call.query.last_event_id),
  };
}

/** An iterator as a feed: one `next` under way at a time, waited for as long as the stream wants to wait. */
function feedOf(events: AsyncIterator<QueueEvent>, ending: AbortController): Feed {
  let next: Promise<IteratorResult<QueueEvent>> | undefined;
  let reason: string | undefined;
  return {
    async take(waitMs) {
      next ??= events.next();
      const result = await soon(next, waitMs);
      if (result === undefined) return [];
      next = undefined;
      if (result.done) reason ??= ending.signal.aborted ? 'stopped' : 'ended';
      else return [eventOf(result.value)];
      return [];
    },
    get ending() {
      return reason;
    },
    end: () => ending.abort(),
  };
}

/** What comes within `waitMs`, or `undefined`; a failed subscription counts as its end. */
async function soon<T>(
  work: Promise<IteratorResult<T>>,
  waitMs: number,
): Promise<IteratorResult<T> | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(resolve, waitMs, undefined);
  });
  const settled = work.catch((): IteratorResult<T> => ({ done: true, value: undefined }));
  const result = await Promise.race([settled, late]);
  clearTimeout(timer);
  return result;
}

function eventOf({ id, event, jobId, at, data }: QueueEvent): ServerEvent {
  const body = { job_id: jobId, at: new Date(at).toISOString(), ...data };
  return { id, name: event, data: stringifyCarrying(body) };
}
