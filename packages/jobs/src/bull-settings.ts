/** This file owns what BullMQ is set to alike wherever jobs are run: by a worker's process, or by whoever leases them. */

/**
 * BullMQ fails a job after this many lost locks, once and for all. Deliveries are limited by us, with a reason; an
 * outage must not fail a job.
 */
export const MAX_STALLED_COUNT = 10_000;
/** Finished jobs of each of the last minutes, for the rates of a queue. */
export const METRICS_MINUTES = 60;
/** Deliveries without an outcome after which a job fails: it takes its worker down with it. */
export const DEFAULT_MAX_DELIVERIES = 10;
/** Lines kept of a job's log. */
export const KEPT_LOG_LINES = 100;
