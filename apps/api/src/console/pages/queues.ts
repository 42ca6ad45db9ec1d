/** This file owns the list of queues: how many jobs are where, held or not. */
import type { Jobs, QueueView } from '@sluice/jobs';
import { addressOf } from '../frame.ts';
import { html } from '../html.ts';
import { live } from '../live.ts';
import { mayDo, type Page, type Visit } from '../page.ts';
import { actionButton, heading, liveSign, table } from '../parts.ts';
import type { Pulse } from '../pulse.ts';
import { queueAddress, queueFiguresOf } from '../queue-figures.ts';
import { ACT, actsOnQueue, seesQueue } from '../queue-rights.ts';

/** Those that this operator sees. */
const seenBy = (visit: Visit, queues: readonly QueueView[]) =>
  queues.filter(({ name }) => seesQueue(visit, name));

/** Of one page. */
const PAGE_QUEUES = 100;

export function queuesPage({ jobs, pulse }: { jobs: Jobs; pulse: Pulse }): Page {
  const pageOf = ({ query }: Visit) =>
    jobs.queues({ after: query.get('after') ?? undefined, limit: PAGE_QUEUES });
  const figuresOf = (queues: readonly QueueView[]) => queueFiguresOf({ at: 0, redis: [], queues }, pulse);
  return {
    path: '/jobs',
    needs: { area: 'board', verb: 'read' },
    nav: { label: 'Queues', group: 'Work' },
    live: async (visit) => figuresOf(seenBy(visit, await pageOf(visit))),
    async show(visit) {
      const page = await pageOf(visit);
      const queues = seenBy(visit, page);
      const figures = figuresOf(queues);
      const last = page.length === PAGE_QUEUES ? page.at(-1)?.name : undefined;
      const mayAct = mayDo(visit, ACT);
      const figure = (label: string) => ({ label, isFigure: true });
      const rows = queues.map(({ name, isPaused }) => {
        const action = `${queueAddress(name)}/${isPaused ? 'resume' : 'pause'}`;
        return [
          html`<a href="${queueAddress(name)}">${name}</a>`,
          ...[
            'state',
            'workers',
            'waiting',
            'oldest',
            'active',
            'delayed',
            'children',
            'completed',
            'failed',
          ].map((of) => live(figures, `queue:${name}:${of}`)),
          actsOnQueue(visit, name) && actionButton(visit, { action, label: isPaused ? 'Resume' : 'Pause' }),
        ];
      });
      return {
        title: 'Queues',
        body: html`${heading('Queues', liveSign())}${table({
          caption: 'Queues',
          columns: [
            { label: 'Queue' },
            { label: 'State' },
            ...['Workers', 'Waiting', 'Oldest', 'Active', 'Delayed', 'Parents', 'Completed', 'Failed'].map(
              figure,
            ),
            ...(mayAct ? [{ label: 'Action' }] : []),
          ],
          rows: mayAct ? rows : rows.map((cells) => cells.slice(0, -1)),
          empty: 'No queue has been used yet.',
        })}
${last !== undefined && html`<p class="pager"><a class="button" href="${addressOf('/jobs')}?after=${last}">Next</a></p>`}`,
      };
    },
  };
}
