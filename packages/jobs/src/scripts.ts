/** This file owns the declarations of the Lua scripts of jobs. */
import { defineScript } from '@sluice/redis';

const at = (file: string) => new URL(`./lua/${file}.lua`, import.meta.url);

export const insertJobs = defineScript({
  source: at('insert-jobs'),
  keys: ['base', 'wait', 'meta', 'id', 'delayed', 'active', 'prioritized', 'pc', 'events', 'marker'],
  args: ['kinds', 'count'],
  moreKeys: true,
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
  args: ['order', 'limit', 'max_bytes', 'score', 'anchors'],
  moreArgs: true,
});
