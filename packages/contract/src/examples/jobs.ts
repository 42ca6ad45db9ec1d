/** This file owns the examples of single jobs, flows, and streams of what happens to them. */
import type { Examples } from '../example.ts';
import type { flows as flowRoutes } from '../routes/flows.ts';
import type { jobActions as actionRoutes } from '../routes/job-actions.ts';
import type { jobEvents as eventRoutes } from '../routes/job-events.ts';
import type { jobs as jobRoutes } from '../routes/jobs.ts';

const queue = 'demo';
const name = 'example.echo';
const data = { hello: 'world' };
const ended = { params: { queue, id: '$JOB_ID' } };
const delayed = { params: { queue, id: '$DELAYED_JOB_ID' } };

export const doneJob = {
  id: '$JOB_ID',
  queue,
  name,
  state: 'completed' as const,
  data,
  progress: 100,
  result: data,
  error: null,
  attempts: { made: 1, started: 1, max: 3, lost: 0 },
  opts: { priority: 0, group: null, lifo: false, backoff: null, timeout: null, deduplication: null },
  created_at: '2026-01-01T00:00:00.000Z',
  run_at: null,
  started_at: '2026-01-01T00:00:00.010Z',
  finished_at: '2026-01-01T00:00:00.020Z',
  expires_at: null,
  is_cancelling: false,
  parent: null,
  scheduler: null,
};
const waitingJob = {
  ...doneJob,
  state: 'waiting' as const,
  progress: 0,
  result: null,
  attempts: { ...doneJob.attempts, made: 0, started: 0 },
  started_at: null,
  finished_at: null,
};
const delayedJob = {
  ...waitingJob,
  id: '$DELAYED_JOB_ID',
  data: { hello: 'later' },
  attempts: { ...waitingJob.attempts, max: 1 },
};
const EVENTS =
  'id: 1767225600000-0\nevent: completed\ndata: {"job_id":"$JOB_ID","at":"2026-01-01T00:00:00.000Z","result":{"hello":"world"}}\n\n';

export const jobExamples: Examples<
  typeof jobRoutes & typeof actionRoutes & typeof eventRoutes & typeof flowRoutes
> = {
  enqueueJobs: {
    params: { queue },
    body: { name, data, opts: { attempts: 3 } },
    status: 201,
    reply: { id: '$JOB_ID', queue, name, state: 'waiting', durability: 'memory' },
  },
  getJob: { ...ended, reply: doneJob },
  getJobResult: {
    ...ended,
    query: { wait: '30' },
    reply: { id: '$JOB_ID', state: 'completed', result: data, error: null },
  },
  listJobs: {
    params: { queue },
    query: { state: 'completed', limit: '20' },
    reply: { resource: [doneJob], meta: {} },
  },
  getJobLogs: { ...ended, reply: { resource: ['attempt 1'], meta: { count: 1 } } },
  streamJobEvents: { ...ended, query: { last_event_id: '0-0' }, reply: EVENTS },
  streamQueueEvents: { params: { queue }, query: { last_event_id: '0-0' }, reply: EVENTS },
  retryJob: { ...ended, reply: waitingJob },
  updateJob: {
    ...delayed,
    body: { data: { hello: 'you' }, delay: 7_200_000 },
    reply: {
      ...delayedJob,
      state: 'delayed',
      data: { hello: 'you' },
      run_at: '2026-01-01T02:00:00.000Z',
    },
  },
  promoteJob: { ...delayed, reply: delayedJob },
  cancelJob: { ...delayed, reply: { id: '$DELAYED_JOB_ID', queue, state: 'removed' } },
  addFlow: {
    body: {
      queue,
      name,
      data: { step: 'sum' },
      children: [{ queue, name, data: { step: 'part' }, on_failure: 'ignore' }],
    },
    reply: {
      id: '$FLOW_ID',
      queue,
      name,
      state: 'waiting-children',
      durability: 'memory',
      children: [{ id: '$JOB_ID', queue, name, state: 'waiting', durability: 'memory', children: [] }],
    },
  },
  getFlow: {
    params: { queue, id: '$FLOW_ID' },
    reply: {
      id: '$FLOW_ID',
      queue,
      job: { ...doneJob, id: '$FLOW_ID', data: { step: 'sum' }, result: { step: 'sum' } },
      children: [{ id: '$JOB_ID', queue, job: null, children: [], has_more: false }],
      has_more: false,
    },
  },
  removeJob: { ...delayed, reply: { id: '$DELAYED_JOB_ID', success: true } },
};
