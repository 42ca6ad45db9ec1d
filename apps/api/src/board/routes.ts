/** This file owns which of Bull Board's routes are offered, to whom, and with which bounds. */

import type { ErrorCode } from '@sluice/contract';
import { DomainError } from '@sluice/runtime';
import type { AccountRole } from '@sluice/system';
import { REQUEST_DEADLINE_MS } from '../http/serve.ts';
import { MASS_DEADLINE_MS } from './bulk.ts';
import type { BoardCall, BoardRoute } from './bull-board.ts';
import { withoutStrangers } from './strangers.ts';

/**
 * The role that a route takes: `viewer` looks · `operator` acts on jobs, and on queues in ways that can be taken back ·
 * `admin` throws work away by the queue. Else the sentence that says why nobody may.
 */
export type Offer = AccountRole | { refused: string };

const MAX_JOBS_PER_PAGE = 100;
/** A tree is read whole before it is cut: at most 1 + 20 + 400 jobs, or 1 + 100 where one level is asked for. */
const MAX_FLOW_DEPTH = 3;
const MAX_FLOW_CHILDREN = 20;
const MAX_OPENED_CHILDREN = 100;

const QUEUES_AT_ONCE = 20;

const ADD = 'Jobs are added by POST /api/v2/queues/{queue}/jobs, which checks them.';
const EDIT =
  'What the board shows is redacted, so it cannot be edited here; use PATCH /api/v2/queues/{queue}/jobs/{id}.';
const SCHEDULE = 'Schedulers are changed by PUT /api/v2/queues/{queue}/schedulers/{id}, which checks them.';
const NOT_SHOWN = 'The board does not show this.';

const OFFERS: Readonly<Record<string, Offer>> = {
  'GET /api/queues': 'viewer',
  'GET /api/job-schedulers': 'viewer',
  'GET /api/queues/:queueName/metrics': 'viewer',
  'GET /api/queues/:queueName/rate-limit': 'viewer',
  'GET /api/queues/:queueName/default-job-options': 'viewer',
  'GET /api/queues/:queueName/job-data-schema': 'viewer',
  'GET /api/queues/:queueName/:jobId': 'viewer',
  'GET /api/queues/:queueName/:jobId/logs': 'viewer',
  'GET /api/queues/:queueName/:jobId/flow': 'viewer',
  'PUT /api/queues/pause': 'operator',
  'PUT /api/queues/resume': 'operator',
  'PUT /api/queues/:queueName/pause': 'operator',
  'PUT /api/queues/:queueName/resume': 'operator',
  'PUT /api/queues/:queueName/retry/:queueStatus': 'operator',
  'PUT /api/queues/:queueName/promote': 'operator',
  'PUT /api/queues/:queueName/clean/:queueStatus': 'operator',
  'PUT /api/queues/:queueName/empty': 'admin',
  'PUT /api/queues/:queueName/obliterate': 'admin',
  'PUT /api/queues/:queueName/concurrency': 'operator',
  'PUT /api/queues/:queueName/rate-limit': 'operator',
  'PUT /api/queues/:queueName/rate-limit/release': 'operator',
  'PUT /api/queues/:queueName/job-schedulers/:schedulerId/remove': 'admin',
  'PUT /api/queues/:queueName/:jobId/retry': 'operator',
  'PUT /api/queues/:queueName/:jobId/clean': 'operator',
  'PUT /api/queues/:queueName/:jobId/promote': 'operator',
  'PUT /api/queues/:queueName/:jobId/remove-unprocessed-children': 'operator',
  'PATCH /api/queues/:queueName/:jobId/delay': 'operator',
  'PATCH /api/queues/:queueName/:jobId/priority': 'operator',
  'GET /api/redis/stats': { refused: NOT_SHOWN },
  'GET /api/queues/:queueName/workers': { refused: NOT_SHOWN },
  'POST /api/queues/:queueName/add': { refused: ADD },
  'PATCH /api/queues/:queueName/:jobId/update-data': { refused: EDIT },
  'PATCH /api/queues/:queueName/job-schedulers/:schedulerId': { refused: SCHEDULE },
  'PUT /api/queues/:queueName/job-schedulers/:schedulerId/run': { refused: SCHEDULE },
};

/** They work through as many jobs as there are, in steps, and are given longer than other requests. */
const MASS_ROUTES: readonly string[] = [
  'PUT /api/queues/:queueName/retry/:queueStatus',
  'PUT /api/queues/:queueName/promote',
  'PUT /api/queues/:queueName/clean/:queueStatus',
  'PUT /api/queues/:queueName/empty',
  'PUT /api/queues/:queueName/obliterate',
];

/** Milliseconds after which a request to this route is given up. */
export function deadlineMs({ method, path }: BoardRoute): number {
  return MASS_ROUTES.includes(`${method} ${path}`) ? MASS_DEADLINE_MS : REQUEST_DEADLINE_MS;
}

/** Throws `TypeError` for a route that nobody has judged: a later version of Bull Board offers it, and we do not. */
export function offerOf({ method, path }: BoardRoute): Offer {
  const offer = OFFERS[`${method} ${path}`];
  if (offer === undefined)
    throw new TypeError(`Bull Board has a route that is not judged: ${method} ${path}`);
  return offer;
}

/** Answers a route within our bounds: of a page, of a tree, of a bulk retry. */
export async function answer(route: BoardRoute, call: BoardCall) {
  switch (`${route.method} ${route.path}`) {
    case 'GET /api/queues':
      return withoutStrangers(
        await listQueues(route, { ...call, query: clampPage(call.query) }),
        call.queues,
      );
    case 'GET /api/queues/:queueName/:jobId':
      return withoutStrangers(await route.handle(call), call.queues);
    case 'GET /api/queues/:queueName/:jobId/flow':
      return withoutStrangers(await route.handle({ ...call, query: clampFlow(call.query) }), call.queues);
    case 'PUT /api/queues/:queueName/retry/:queueStatus':
      return await retryAll(call);
    default:
      return await route.handle(call);
  }
}

/** Some queues at a time, since each takes five questions to Redis and others are waiting for answers too. */
async function listQueues(route: BoardRoute, call: BoardCall) {
  const entries = [...call.queues];
  const listed: unknown[] = [];
  // Once at least, so that a faulty query is told of.
  for (let from = 0; from === 0 || from < entries.length; from += QUEUES_AT_ONCE) {
    const queues = new Map(entries.slice(from, from + QUEUES_AT_ONCE));
    const reply = await route.handle({ ...call, queues });
    const part = (reply.body as { queues?: unknown[] }).queues;
    if (!part) return reply;
    listed.push(...part);
  }
  return { status: 200 as const, body: { queues: listed } };
}

function clampPage(query: BoardCall['query']): BoardCall['query'] {
  const { jobsPerPage } = query;
  if (jobsPerPage === undefined || !(Number(jobsPerPage) > MAX_JOBS_PER_PAGE)) return query;
  return { ...query, jobsPerPage: String(MAX_JOBS_PER_PAGE) };
}

function clampFlow(query: BoardCall['query']): BoardCall['query'] {
  const depth = Math.min(positive(query.depth, MAX_FLOW_DEPTH), MAX_FLOW_DEPTH);
  const widest = depth <= 2 ? MAX_OPENED_CHILDREN : MAX_FLOW_CHILDREN;
  const maxChildren = Math.min(positive(query.maxChildren, MAX_FLOW_CHILDREN), widest);
  return { ...query, depth: String(depth), maxChildren: String(maxChildren) };
}

function positive(text: string | undefined, otherwise: number): number {
  const value = Number(text);
  return Number.isInteger(value) && value > 0 ? value : otherwise;
}

/** Bull Board's own goes on until all are retried, however many there are. */
async function retryAll({ queues, params }: BoardCall) {
  const queue = queues.get(params.queueName ?? '');
  const state = params.queueStatus;
  if (!queue) return { status: 404 as const, body: { error: { key: 'ERRORS.QUEUE_NOT_FOUND' as const } } };
  if (state !== 'failed' && state !== 'completed') {
    throw new DomainError<ErrorCode>('input_invalid', 'Only failed and completed jobs are retried.');
  }
  return { status: 200 as const, body: await queue.retryAll(state) };
}
