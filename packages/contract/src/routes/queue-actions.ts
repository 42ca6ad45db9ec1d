/** This file owns the routes that act on whole queues: hold, empty, clean, run again, bound, search. */
import {
  cleanedStateSchema,
  failureCodeSchema,
  LISTED_STATES,
  MAX_PAGE,
  queueLimitsSchema,
} from '@sluice/jobs/schemas';
import { z } from 'zod';
import { CONFIRM } from '../headers.ts';
import { queryInteger } from '../query.ts';
import { route } from '../route.ts';
import { jobView } from './jobs.ts';
import { QUEUE_PATH, queueParams, queueView } from './queues.ts';

const manage = { area: 'jobs', verb: 'manage', resource: ['queue'] } as const;
const tag = 'queues';
const MAX_FILTER_CHARACTERS = 1_024;
const cursor = z.string().max(512).optional();
/** Lua's JSON, which compares it with jobs, reads no half of a surrogate pair. */
const filter = z
  .string()
  .min(1)
  .max(MAX_FILTER_CHARACTERS)
  .regex(/^[^\p{Surrogate}]*$/u, 'holds half a surrogate pair')
  .optional();
const limit = z.int().min(1).max(10_000_000).optional();

const massReply = z.object({
  affected: z.int().meta({ description: 'Jobs removed, or moved' }),
  next: z.string().nullable().meta({
    description:
      'null when all is done; else call again with it as `cursor`: a call works for about a second',
  }),
});

export const queueActions = {
  pauseQueue: hold('pauseQueue', 'pause', 'Hold a queue: workers take nothing from it'),
  resumeQueue: hold('resumeQueue', 'resume', 'Let workers take from it again'),
  drainQueue: route({
    id: 'drainQueue',
    method: 'post',
    path: `${QUEUE_PATH}/drain`,
    tag,
    summary: 'Remove the jobs that wait, in bounded steps',
    access: manage,
    params: queueParams,
    body: { schema: z.strictObject({ delayed: z.boolean().optional(), cursor }), isOptional: true },
    replies: { 200: { description: 'How far it came', schema: massReply } },
  }),
  cleanQueue: route({
    id: 'cleanQueue',
    method: 'post',
    path: `${QUEUE_PATH}/clean`,
    tag,
    summary: 'Remove jobs of one state, by age',
    access: manage,
    params: queueParams,
    body: {
      schema: z.strictObject({
        state: cleanedStateSchema,
        older_than: z.int().min(0).optional().meta({ description: 'Milliseconds; default 0, all of them' }),
        limit,
        cursor,
      }),
    },
    replies: { 200: { description: 'How far it came', schema: massReply } },
    errors: ['job_invalid'],
  }),
  redriveJobs: route({
    id: 'redriveJobs',
    method: 'post',
    path: `${QUEUE_PATH}/retry`,
    tag,
    summary: 'Run failed jobs again, with all their attempts; a filter picks them',
    access: manage,
    params: queueParams,
    body: {
      schema: z.strictObject({
        name: filter,
        code: failureCodeSchema.optional(),
        text: filter.meta({ description: 'Part of why it failed' }),
        limit,
        cursor,
      }),
      isOptional: true,
    },
    replies: { 200: { description: 'How far it came', schema: massReply.extend({ examined: z.int() }) } },
    errors: ['job_invalid'],
  }),
  obliterateQueue: route({
    id: 'obliterateQueue',
    method: 'post',
    path: `${QUEUE_PATH}/obliterate`,
    tag,
    summary: 'Remove a queue and everything in it; needs the header `X-Confirm: {queue}`',
    access: manage,
    headers: CONFIRM,
    params: queueParams,
    body: {
      schema: z.strictObject({
        force: z.boolean().optional().meta({ description: 'Also while jobs run' }),
        cursor,
      }),
      isOptional: true,
    },
    replies: { 200: { description: 'How far it came', schema: massReply } },
    errors: ['not_confirmed', 'queue_active', 'queue_not_paused'],
  }),
  setQueueLimits: route({
    id: 'setQueueLimits',
    method: 'put',
    path: `${QUEUE_PATH}/limits`,
    tag,
    summary: 'Bound a queue over all its workers: jobs at a time, jobs in a time; `null` takes a bound away',
    description:
      '`durability` says what must hold a job before its enqueueing is answered: `memory` (default) Redis alone, `aof` its disk, `replica` the memory of one replica, `aof+replica` both disks. It is refused unless a write can be proven so now.',
    access: manage,
    params: queueParams,
    body: { schema: queueLimitsSchema },
    replies: { 200: { description: 'The queue', schema: queueView } },
    errors: ['queue_not_found', 'job_invalid', 'durability_refused'],
  }),
  searchJobs: route({
    id: 'searchJobs',
    method: 'get',
    path: `${QUEUE_PATH}/search`,
    tag,
    summary: 'Find jobs by id, name or text of their data',
    description:
      'Looks at jobs for about a second. A page may be empty and not the last: go on with `meta.next`.',
    access: { area: 'jobs', verb: 'read', resource: ['queue'] },
    params: queueParams,
    query: z.object({
      state: z.enum(LISTED_STATES).optional(),
      id: filter,
      name: filter,
      text: filter,
      limit: queryInteger(1, MAX_PAGE),
      cursor,
    }),
    replies: {
      200: {
        description: 'A page',
        schema: z.object({
          resource: z.array(jobView),
          meta: z.object({ examined: z.int(), next: z.string().optional() }),
        }),
      },
    },
    errors: ['job_invalid'],
  }),
};

function hold<const Id extends string>(id: Id, verb: string, summary: string) {
  return route({
    id,
    method: 'post',
    path: `${QUEUE_PATH}/${verb}`,
    tag,
    summary,
    access: manage,
    params: queueParams,
    replies: { 200: { description: 'The queue', schema: queueView } },
    errors: ['queue_not_found'],
  });
}
