/** This file owns one job: what it carries, what became of it, and what can be done with it. */
import type { Jobs, JobView } from '@sluice/jobs';
import { duration } from '../figures.ts';
import { type Html, html, type Insert } from '../html.ts';
import type { Page, Visit } from '../page.ts';
import { actionButton, type BadgeKind, badge, crumbs, facts, heading, instant } from '../parts.ts';
import { jobAddress } from '../queue-figures.ts';
import { ACT, actingOn, actsOnQueue, queueOf } from '../queue-rights.ts';
import { type ShownJob, shownJob } from '../shown-job.ts';

const MAX_LOG_LINES = 100;
const FINISHED: readonly string[] = ['completed', 'failed', 'expired', 'cancelled'];

export function jobPage({ jobs }: { jobs: Jobs }): Page {
  const placeOf = (visit: Visit): [queue: string, id: string] => [queueOf(visit), visit.params.id ?? ''];
  /** To act on it. */
  const held = (visit: Visit): [queue: string, id: string] => [actingOn(visit), visit.params.id ?? ''];
  const here = (visit: Visit) => `/jobs/${placeOf(visit).map(encodeURIComponent).join('/')}`;
  return {
    path: '/jobs/:queue/:id',
    needs: { area: 'board', verb: 'read' },
    async show(visit) {
      const [queue, id] = placeOf(visit);
      const [job, logs] = await Promise.all([
        jobs.get(queue, id),
        jobs.logs(queue, id, { limit: MAX_LOG_LINES }),
      ]);
      const shown = shownJob(job);
      return {
        title: shown.name,
        body: html`${crumbs([
          ['Queues', '/jobs'],
          [queue, `/jobs/${encodeURIComponent(queue)}`],
        ])}
${heading(html`${shown.name} ${badge(job.isCancelling ? 'cancelling' : job.state, kindOf(job))}`, actions(visit, job))}
<p class="break dim"><code>${job.id}</code></p>
<div class="cards"><section class="card">${times(job)}</section><section class="card">${settings(job)}</section></div>
${part('Error', shown.error)}
${part('Data', shown.data)}
${part('Result', shown.result)}
${part('Progress', shown.progress)}
${shown.stacks.map((stack, index) => part(index === 0 ? 'Stacks' : '', stack))}
${part(`Log, ${logs.total} lines`, logText(shown, logs.lines))}`,
      };
    },
    actions: {
      retry: {
        needs: ACT,
        async act(visit) {
          await jobs.retry(...held(visit));
          return { go: here(visit), done: 'The job waits again, its attempts counted from none.' };
        },
      },
      promote: {
        needs: ACT,
        async act(visit) {
          await jobs.promote(...held(visit));
          return { go: here(visit), done: 'The job is ready now.' };
        },
      },
      cancel: {
        needs: ACT,
        async act(visit) {
          const [queue, id] = held(visit);
          const { kind } = await jobs.cancel(queue, id);
          if (kind === 'cancelling') return { go: here(visit), done: 'Its worker is told to stop.' };
          return {
            go: `/jobs/${encodeURIComponent(queue)}`,
            done: `The job ${id} had not begun, and is gone.`,
          };
        },
      },
      remove: {
        needs: ACT,
        async act(visit) {
          const [queue, id] = held(visit);
          await jobs.remove(queue, id);
          return { go: `/jobs/${encodeURIComponent(queue)}`, done: `The job ${id} is gone.` };
        },
      },
    },
  };
}

function actions(visit: Visit, { queue, id, state }: JobView): Insert[] {
  if (!actsOnQueue(visit, queue)) return [];
  const address = jobAddress(queue, id);
  const isFinished = FINISHED.includes(state);
  return [
    isFinished && actionButton(visit, { action: `${address}/retry`, label: 'Retry', kind: 'primary' }),
    state === 'delayed' && actionButton(visit, { action: `${address}/promote`, label: 'Begin now' }),
    !isFinished &&
      actionButton(visit, { action: `${address}/cancel`, label: 'Cancel', confirm: 'Cancel this job?' }),
    state !== 'active' &&
      actionButton(visit, {
        action: `${address}/remove`,
        label: 'Remove',
        kind: 'danger',
        confirm: 'Remove this job, and its children if it has any?',
      }),
  ];
}

function kindOf({ state }: JobView): BadgeKind {
  if (state === 'completed') return 'good';
  if (state === 'failed' || state === 'expired') return 'bad';
  return state === 'active' ? 'warn' : 'plain';
}

function times(job: JobView): Html {
  const { startedAt, finishedAt } = job;
  const ran = startedAt !== null && finishedAt !== null ? duration(finishedAt - startedAt) : '–';
  return facts([
    ['Made', instant(job.createdAt)],
    ['Due', instant(job.runAt)],
    ['Last begun', instant(startedAt)],
    ['Ended', instant(finishedAt)],
    ['Last attempt took', ran],
    ['Expires', instant(job.expiresAt)],
  ]);
}

function settings({ attempts, options, parent, scheduler }: JobView): Html {
  const { priority, group, backoff, timeoutMs, deduplication } = options;
  const lost = attempts.lost > 0 ? `, ${attempts.lost} lost` : '';
  return facts([
    ['Attempts', `${attempts.made} of ${attempts.max}${lost}`],
    ['Backoff', backoff ? `${backoff.type}, ${duration(backoff.delay)}` : '–'],
    ['Timeout of an attempt', timeoutMs === null ? '–' : duration(timeoutMs)],
    ['Priority', group === null ? priority : `group ${group}`],
    ['Deduplication', deduplication?.id ?? '–'],
    ['Made by', madeBy(parent, scheduler)],
  ]);
}

function madeBy(parent: JobView['parent'], scheduler: string | null): Insert {
  if (scheduler !== null) return `scheduler ${scheduler}`;
  if (parent === null) return 'a caller';
  return html`<a href="${jobAddress(parent.queue, parent.id)}">job ${parent.id}</a>`;
}

function part(title: string, text: string | undefined): Html | undefined {
  if (text === undefined || text === '') return undefined;
  return html`${title !== '' && html`<h2>${title}</h2>`}<pre tabindex="0">${text}</pre>`;
}

function logText({ text }: ShownJob, lines: readonly string[]): string | undefined {
  return lines.length === 0 ? undefined : lines.map(text).join('\n');
}
