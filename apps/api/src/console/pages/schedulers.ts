/** This file owns the schedulers of all queues: what they make, when next, and taking one away. */
import type { Jobs, SchedulerView } from '@sluice/jobs';
import type { Schedule } from '@sluice/jobs/schemas';
import { ADMIN_PATH } from '../../admin/operator-sessions.ts';
import { count, duration } from '../figures.ts';
import { html } from '../html.ts';
import { mayDo, type Page } from '../page.ts';
import { actionButton, heading, instant, table } from '../parts.ts';
import type { Pulse } from '../pulse.ts';
import { queueAddress } from '../queue-figures.ts';
import { ACT, actingOn, actsOnQueue, seesQueue } from '../queue-rights.ts';
import { shownData } from '../shown-job.ts';

/** Queues that are asked, and schedulers shown of each. */
const MAX_QUEUES = 200;
const MAX_OF_A_QUEUE = 50;

export function schedulersPage({ jobs, pulse }: { jobs: Jobs; pulse: Pulse }): Page {
  return {
    path: '/schedulers',
    needs: { area: 'board', verb: 'read' },
    nav: { label: 'Schedulers', group: 'Work' },
    async show(visit) {
      const queues = (await pulse.look()).queues.filter(({ name }) => seesQueue(visit, name));
      const pages = await Promise.all(
        queues.slice(0, MAX_QUEUES).map(({ name }) => jobs.schedulers.list(name, { limit: MAX_OF_A_QUEUE })),
      );
      const total = pages.reduce((sum, page) => sum + page.total, 0);
      const shown = pages
        .flatMap(({ schedulers }) => schedulers)
        .sort((a, b) => (a.nextAt ?? Number.POSITIVE_INFINITY) - (b.nextAt ?? Number.POSITIVE_INFINITY));
      const mayAct = mayDo(visit, ACT);
      return {
        title: 'Schedulers',
        body: html`${heading('Schedulers')}
${shown.length < total && html`<p class="notice" data-kind="warn">${count(shown.length)} of ${count(total)} are shown: at most ${MAX_OF_A_QUEUE} of a queue.</p>`}
${table({
  caption: 'Schedulers',
  columns: [
    { label: 'Scheduler' },
    { label: 'Queue' },
    { label: 'Makes' },
    { label: 'When' },
    { label: 'Next' },
    { label: 'Made', isFigure: true },
    { label: 'Data' },
    ...(mayAct ? [{ label: 'Action' }] : []),
  ],
  rows: shown.map((scheduler) => {
    const { id, queue } = scheduler;
    const remove = actionButton(visit, {
      action: `${ADMIN_PATH}/schedulers/remove`,
      label: 'Remove',
      kind: 'danger',
      confirm: `Remove the scheduler ${id} of ${queue}?`,
      hidden: { queue, id },
    });
    return mayAct ? [...rowOf(scheduler), actsOnQueue(visit, queue) && remove] : rowOf(scheduler);
  }),
  empty: html`No queue has a scheduler. <code>PUT /api/v2/queues/{queue}/schedulers/{id}</code> makes one.`,
})}`,
      };
    },
    actions: {
      remove: {
        needs: ACT,
        async act(visit, form) {
          const [queue, id] = [actingOn(visit, form.get('queue') ?? ''), form.get('id') ?? ''];
          await jobs.schedulers.remove(queue, id);
          return {
            go: '/schedulers',
            done: `The scheduler ${id} of ${queue} is gone; a job it has made stays.`,
          };
        },
      },
    },
  };
}

function rowOf({ id, queue, nextAt, made, schedule, job }: SchedulerView) {
  return [
    id,
    html`<a href="${queueAddress(queue)}">${queue}</a>`,
    job.name,
    whenOf(schedule),
    instant(nextAt),
    count(made),
    html`<code class="break">${shownData(job.data).replace(/\s+/g, ' ').slice(0, 120)}</code>`,
  ];
}

function whenOf(schedule: Schedule): string {
  if ('every' in schedule && schedule.every !== undefined) return `every ${duration(schedule.every)}`;
  const { cron, tz } = schedule as { cron?: string; tz?: string };
  return `${cron ?? ''}${tz ? ` (${tz})` : ''}`;
}
