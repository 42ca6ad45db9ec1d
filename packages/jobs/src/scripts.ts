/** This file owns the declarations of the Lua scripts of jobs. */
import { defineScript } from '@sluice/redis';

const at = (file: string) => new URL(`./lua/${file}.lua`, import.meta.url);

export const insertJobs = defineScript({
  source: at('insert-jobs'),
  parts: [at('turns')],
  keys: [
    'base',
    'wait',
    'meta',
    'id',
    'delayed',
    'active',
    'prioritized',
    'pc',
    'events',
    'marker',
    'turns',
    'last_jobs',
  ],
  args: ['kinds', 'count', 'durability'],
  moreKeys: true,
  moreArgs: true,
});

export const touchJob = defineScript({
  source: at('touch-job'),
  keys: ['job', 'id'],
  args: [],
});

export const lineUp = defineScript({
  source: at('line-up'),
  parts: [at('turns')],
  keys: ['base', 'prioritized', 'turns', 'last_jobs'],
  args: ['limit'],
});

export const enterGroup = defineScript({
  source: at('enter-group'),
  keys: ['job', 'running', 'parked', 'slot'],
  args: ['attempt', 'id', 'hold_ms', 'concurrency', 'max', 'duration'],
});

export const leaveGroup = defineScript({
  source: at('leave-group'),
  keys: ['running', 'parked'],
  args: ['attempt', 'id', 'delay_ms', 'concurrency'],
});

export const stayInGroup = defineScript({
  source: at('stay-in-group'),
  keys: ['running'],
  args: ['hold_ms'],
  moreArgs: true,
});

export const readJob = defineScript({
  source: at('read-job'),
  keys: ['job', 'completed', 'failed', 'delayed', 'prioritized', 'waiting_children', 'active'],
  args: ['id'],
  moreArgs: true,
});

export const queueSummary = defineScript({
  source: at('queue-summary'),
  keys: [
    'base',
    'wait',
    'active',
    'prioritized',
    'delayed',
    'waiting_children',
    'completed',
    'failed',
    'meta',
    'done_totals',
    'done_minutes',
    'failed_totals',
    'failed_minutes',
  ],
  args: ['minutes'],
});

export const listJobs = defineScript({
  source: at('list-jobs'),
  keys: ['base', 'place'],
  args: ['order', 'limit', 'look_at', 'max_bytes', 'filters', 'score', 'anchors'],
  moreArgs: true,
});

export const cancelJob = defineScript({
  source: at('cancel-job'),
  keys: ['job', 'active'],
  args: ['id', 'reason'],
});

export const updateData = defineScript({
  source: at('update-data'),
  keys: ['job'],
  args: ['data'],
});

export const resetJobs = defineScript({
  source: at('reset-jobs'),
  keys: ['place'],
  args: [],
  moreKeys: true,
  moreArgs: true,
});

export const sweepJobs = defineScript({
  source: at('sweep-jobs'),
  keys: ['base', 'place', 'repeat', 'events'],
  args: ['order', 'limit', 'before_ms', 'skip'],
});

export const setLimits = defineScript({
  source: at('set-limits'),
  keys: ['meta', 'wait', 'prioritized', 'marker'],
  args: [],
  moreArgs: true,
});

export const endOverdue = defineScript({
  source: at('end-overdue'),
  keys: ['base', 'wait', 'prioritized', 'delayed', 'failed', 'events'],
  args: ['now_ms'],
  moreArgs: true,
});

export const takeJobs = defineScript({
  source: at('take-jobs'),
  keys: [
    'base',
    'wait',
    'active',
    'prioritized',
    'delayed',
    'limiter',
    'meta',
    'pc',
    'events',
    'marker',
    'leases',
  ],
  args: ['now_ms', 'count', 'token', 'lease_ms', 'max_bytes', 'taker'],
});

export const completeJobs = defineScript({
  source: at('complete-jobs'),
  keys: [
    'base',
    'wait',
    'active',
    'prioritized',
    'stalled',
    'completed',
    'meta',
    'events',
    'marker',
    'totals',
    'minutes',
    'leases',
  ],
  args: ['now_ms', 'cancelled', 'minutes'],
  moreArgs: true,
});

export const reserveBacklog = defineScript({
  source: at('reserve-backlog'),
  keys: ['base', 'backlog'],
  args: ['max', 'grace_ms', 'max_looks'],
  moreArgs: true,
});

export const releaseJobs = defineScript({
  source: at('release-jobs'),
  keys: ['base', 'wait', 'active', 'prioritized', 'delayed', 'stalled', 'meta', 'events', 'marker', 'leases'],
  args: ['now_ms', 'delay_ms', 'is_unseen'],
  moreArgs: true,
});

export const extendLease = defineScript({
  source: at('extend-lease'),
  keys: ['job', 'lock', 'stalled', 'leases'],
  args: ['id', 'token', 'lease_ms'],
});

export const tellProgress = defineScript({
  source: at('tell-progress'),
  keys: ['job', 'lock', 'meta', 'events'],
  args: ['id', 'token', 'progress'],
});

export const addLogs = defineScript({
  source: at('add-logs'),
  keys: ['job', 'lock', 'logs'],
  args: ['token', 'kept'],
  moreArgs: true,
});

export const recoverLeases = defineScript({
  source: at('recover-leases'),
  keys: ['base', 'leases', 'wait', 'active', 'stalled', 'meta', 'events', 'marker'],
  args: ['limit', 'max_lost', 'token', 'hold_ms', 'soon_ms'],
});
