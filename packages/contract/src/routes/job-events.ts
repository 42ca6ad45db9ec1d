/** This file owns the routes that stream what happens to jobs, as Server-Sent Events. */
import { z } from 'zod';
import { LAST_EVENT_ID } from '../headers.ts';
import { route } from '../route.ts';
import { JOB_PATH, jobParams } from './jobs.ts';
import { QUEUE_PATH, queueParams } from './queues.ts';

const read = { area: 'jobs', verb: 'read', resource: ['queue'] } as const;
const query = z.object({ last_event_id: z.string().max(64).optional() });
const replies = { 200: { description: 'Events', contentType: 'text/event-stream' } } as const;
const description = [
  'Each event is named by what happened (`waiting`, `active`, `progress`, `completed`, `failed`, …); its data is JSON with `job_id` and `at`.',
  'Come back with `Last-Event-ID` (browsers do) and nothing is missed; `event: gap` tells that events before are gone.',
  'A reader that is too slow is let go with `event: overflow`.',
].join(' ');

export const jobEvents = {
  streamQueueEvents: route({
    id: 'streamQueueEvents',
    method: 'get',
    path: `${QUEUE_PATH}/events`,
    tag: 'queues',
    summary: 'What happens in a queue, as it happens',
    description,
    access: read,
    headers: LAST_EVENT_ID,
    params: queueParams,
    query,
    replies,
    errors: ['waiters_full', 'job_invalid'],
    isLongPoll: true,
  }),
  streamJobEvents: route({
    id: 'streamJobEvents',
    method: 'get',
    path: `${JOB_PATH}/events`,
    tag: 'jobs',
    summary: 'What happens to a job, until it ends',
    description,
    access: read,
    headers: LAST_EVENT_ID,
    params: jobParams,
    query,
    replies,
    errors: ['job_not_found', 'waiters_full', 'job_invalid'],
    isLongPoll: true,
  }),
};
