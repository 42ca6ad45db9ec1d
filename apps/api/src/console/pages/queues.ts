/** This file owns the list of queues: how many jobs are where, held or not. */
import { html } from '../html.ts';
import { live } from '../live.ts';
import { mayDo, type Page } from '../page.ts';
import { actionButton, heading, liveSign, table } from '../parts.ts';
import type { Pulse } from '../pulse.ts';
import { queueAddress, queueFiguresOf } from '../queue-figures.ts';
import { ACT } from './queue.ts';

export function queuesPage({ pulse }: { pulse: Pulse }): Page {
  return {
    path: '/jobs',
    needs: { area: 'board', verb: 'read' },
    nav: { label: 'Queues', group: 'Work' },
    live: async () => queueFiguresOf(await pulse.look(), pulse),
    async show(visit) {
      const look = await pulse.look();
      const figures = queueFiguresOf(look, pulse);
      const mayAct = mayDo(visit, ACT);
      const figure = (label: string) => ({ label, isFigure: true });
      const rows = look.queues.map(({ name, isPaused }) => {
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
          mayAct && actionButton(visit, { action, label: isPaused ? 'Resume' : 'Pause' }),
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
        })}`,
      };
    },
  };
}
