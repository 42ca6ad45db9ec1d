export {
  type AttemptFacts,
  type AttemptMiddleware,
  MAX_LOG_LINE_BYTES,
  MAX_PROGRESS_BYTES,
  type Outcome,
} from './attempt.ts';
export { CANCELLED_REASON, DEFERRED_FAILURE_FIELD, isCancelRequested } from './cancel.ts';
export { Catalog, type CatalogEntry } from './catalog.ts';
export { type AttemptContext, defineJob, type JobDefinition, jobFault } from './define.ts';
export type { EnqueuedJob, EnqueueManyOptions, EnqueueResult, NewJob } from './enqueue.ts';
export { fatal, type JobFailure, readFailure, retryAfter } from './failure.ts';
export { Jobs, type JobsOptions } from './jobs.ts';
export { isJobId } from './keys.ts';
export { knownQueues, registerQueue } from './queues.ts';
export type { JobPage, PageOptions, QueueLimits, QueueView } from './reads.ts';
export type { JobView } from './view.ts';
export type { JobEnd, WaitOptions } from './wait.ts';
export { JobWorker, type JobWorkerOptions, type WorkerHealth } from './worker.ts';
