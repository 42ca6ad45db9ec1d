/** This file owns the first page: how the queues and the Redis of each role are. */
import type { Jobs } from '@sluice/jobs';
import { html } from '../html.ts';
import type { Page } from '../page.ts';
import { heading, table } from '../parts.ts';

export function overviewPage({ jobs }: { jobs: Jobs }): Page {
  return {
    path: '/',
    needs: { area: 'board', verb: 'read' },
    nav: { label: 'Overview', group: 'Work' },
    async show() {
      const queues = await jobs.queues();
      const rows = queues.map(({ name, counts }) => [name, counts.waiting, counts.active, counts.failed]);
      return {
        title: 'Overview',
        body: html`${heading('Overview')}${table({
          caption: 'Queues',
          columns: [
            { label: 'Queue' },
            { label: 'Waiting', isFigure: true },
            { label: 'Active', isFigure: true },
            { label: 'Failed', isFigure: true },
          ],
          rows,
          empty: 'No queue has been used yet.',
        })}`,
      };
    },
  };
}
