/** This file owns the examples of whole queues, their schedulers, and leases taken from them. */
import type { Examples } from '../example.ts';
import type { leases as leaseRoutes } from '../routes/leases.ts';
import type { queueActions as actionRoutes } from '../routes/queue-actions.ts';
import type { queues as queueRoutes } from '../routes/queues.ts';
import type { scaling as scalingRoutes } from '../routes/scaling.ts';
import type { schedulers as schedulerRoutes } from '../routes/schedulers.ts';
import { doneJob } from './jobs.ts';

const queue = 'demo';
const PULLED = 'pull-images';
const ofQueue = { params: { queue } };
const ofLease = { params: { lease: '$LEASE' } };
const view = {
  name: queue,
  counts: {
    waiting: 0,
    prioritized: 0,
    delayed: 0,
    active: 0,
    'waiting-children': 0,
    completed: 4,
    failed: 1,
  },
  is_paused: false,
  workers: 1,
  limits: { concurrency: null, rate: null, group: null },
  durability: 'memory' as const,
  oldest_waiting_ms: null,
  rates: { completed_per_minute: 0.8, failed_per_minute: 0.2 },
};
const load = { backlog: 12, active: 3, oldest_waiting_seconds: 4.2, suggested_workers: 2 };
const settled = { id: '$JOB_ID', queue: PULLED };
const nightly = { queue, id: 'nightly' };
const schedule = { cron: '0 3 * * *', tz: 'Europe/Berlin' };
const made = { name: 'example.echo', data: { report: 'daily' } };
const scheduler = {
  ...nightly,
  next_at: '2026-01-02T02:00:00.000Z',
  made: 1,
  schedule,
  job: { ...made, opts: { attempts: 1 } },
};

export const queueExamples: Examples<
  typeof queueRoutes &
    typeof scalingRoutes &
    typeof actionRoutes &
    typeof schedulerRoutes &
    typeof leaseRoutes
> = {
  listQueues: { query: { limit: '100' }, reply: { resource: [view] } },
  getQueue: { ...ofQueue, reply: view },
  getScaling: {
    query: { queues: queue, per_worker: '10' },
    reply: { ...load, queues: [{ name: queue, is_paused: false, workers: 1, ...load }] },
  },
  searchJobs: {
    ...ofQueue,
    query: { state: 'completed', text: 'world' },
    reply: { resource: [doneJob], meta: { examined: 4 } },
  },
  pauseQueue: { ...ofQueue, reply: { ...view, is_paused: true } },
  resumeQueue: { ...ofQueue, reply: view },
  setQueueLimits: {
    ...ofQueue,
    body: { concurrency: 20, rate: { max: 100, duration: 1000 } },
    reply: { ...view, limits: { concurrency: 20, rate: { max: 100, duration: 1000 }, group: null } },
  },
  redriveJobs: {
    ...ofQueue,
    body: { name: 'example.echo', code: 'error' },
    reply: { affected: 1, next: null, examined: 1 },
  },
  cleanQueue: {
    ...ofQueue,
    body: { state: 'completed', older_than: 86_400_000 },
    reply: { affected: 0, next: null },
  },
  putScheduler: { params: nightly, body: { schedule, ...made }, reply: scheduler },
  getScheduler: { params: nightly, reply: scheduler },
  listSchedulers: { ...ofQueue, reply: { resource: [scheduler], meta: { count: 1 } } },
  heartbeatLease: {
    ...ofLease,
    body: { lease_ms: 30_000 },
    reply: { expires_at: '2026-01-01T00:00:30.000Z', cancel: false },
  },
  reportLeaseProgress: { ...ofLease, body: { progress: { done: 0.5 } }, reply: { success: true } },
  addLeaseLogs: {
    ...ofLease,
    body: { lines: ['half of it done'] },
    reply: { success: true, count: 1 },
  },
  completeLease: {
    ...ofLease,
    body: { result: { width: 640 } },
    reply: { ...settled, state: 'completed' },
  },
  completeLeases: {
    body: { resource: [{ lease: '$LEASE', result: { width: 640 } }] },
    reply: { resource: [{ ...settled, state: 'completed', success: true }] },
  },
  failLease: {
    ...ofLease,
    body: { error: { message: 'the image is broken' }, retryable: false },
    reply: { ...settled, state: 'failed' },
  },
  releaseJobLease: { ...ofLease, body: {}, reply: { ...settled, state: 'waiting' } },
  takeLeases: {
    params: { queue: PULLED },
    body: { count: 1, lease_ms: 30_000, wait: 1 },
    reply: {
      resource: [
        {
          lease: '$LEASE',
          job: {
            id: '$JOB_ID',
            queue: PULLED,
            name: 'example.echo',
            data: { hello: 'world' },
            max_attempts: 3,
            timeout: null,
            created_at: '2026-01-01T00:00:00.000Z',
            parent: null,
            scheduler: null,
          },
          attempt: 1,
          expires_at: '2026-01-01T00:00:30.000Z',
        },
      ],
    },
  },
  removeScheduler: { params: nightly, reply: { id: 'nightly', success: true } },
  drainQueue: { params: { queue: PULLED }, body: { delayed: true }, reply: { affected: 1, next: null } },
  obliterateQueue: {
    params: { queue: PULLED },
    headers: { 'X-Confirm': PULLED },
    body: { force: true },
    reply: { affected: 4, next: null },
  },
};
