/** This file owns the first page: how the queues and each Redis are just now, and were in the last hour. */
import type { Jobs, QueueView } from '@sluice/jobs';
import { bytes, count } from '../figures.ts';
import { addressOf } from '../frame.ts';
import { type Html, html } from '../html.ts';
import { type LiveFigures, live } from '../live.ts';
import type { Page, Visit } from '../page.ts';
import { heading, liveSign, table, tiles } from '../parts.ts';
import { bars, line } from '../plots.ts';
import { LAST_MINUTES, type Look, type Pulse } from '../pulse.ts';
import { queueAddress, queueFiguresOf, waitingIn } from '../queue-figures.ts';
import { seesQueue } from '../queue-rights.ts';
import { redisCard, redisFiguresOf } from '../redis-figures.ts';

/** Whose minutes are added up for the plot; of more, the busiest. */
const MAX_PLOTTED_QUEUES = 50;
const MAX_SHOWN_QUEUES = 100;

export function overviewPage({ jobs, pulse }: { jobs: Jobs; pulse: Pulse }): Page {
  const figuresOf = (look: Look): LiveFigures =>
    new Map([...queueFiguresOf(look, pulse), ...redisFiguresOf(look.redis)]);
  /** Of the queues that this operator sees. */
  const lookOf = async (visit: Visit): Promise<Look> => {
    const look = await pulse.look();
    return { ...look, queues: look.queues.filter(({ name }) => seesQueue(visit, name)) };
  };
  return {
    path: '/',
    needs: { area: 'board', verb: 'read' },
    nav: { label: 'Overview', group: 'Work' },
    live: async (visit) => figuresOf(await lookOf(visit)),
    async show(visit) {
      const look = await lookOf(visit);
      const figures = figuresOf(look);
      return {
        title: 'Overview',
        body: html`${heading('Overview', liveSign())}
${tiles([
  ['Waiting', live(figures, 'all:waiting')],
  ['Oldest waits', live(figures, 'all:oldest')],
  ['Active', live(figures, 'all:active')],
  ['In a minute', live(figures, 'all:in')],
  ['Done a minute', live(figures, 'all:done')],
  ['Failed a minute', live(figures, 'all:failing')],
])}
<h2>Queues</h2>
${queueTable(look, figures)}
<h2>Redis</h2>
<div class="cards">${look.redis.map((state) => redisCard(figures, state))}</div>
<h2>The last hour</h2>
<div class="cards">${await plots(jobs, pulse, look)}</div>`,
      };
    },
  };
}

function queueTable({ queues }: Look, figures: LiveFigures): Html {
  const shown = queues.length <= MAX_SHOWN_QUEUES ? queues : busiestOf(queues);
  const figure = (label: string) => ({ label, isFigure: true });
  const rest = queues.length - shown.length;
  return html`${rest > 0 && html`<p class="dim">The ${count(shown.length)} with the most waiting; ${count(rest)} more are under <a href="${addressOf('/jobs')}">Queues</a>.</p>`}${table(
    {
      caption: 'Queues',
      columns: [
        { label: 'Queue' },
        { label: 'State' },
        ...['Workers', 'Waiting', 'Oldest', 'Active', 'In/min', 'Done/min', 'Failed/min', 'Failed'].map(
          figure,
        ),
      ],
      rows: shown.map(({ name }) => [
        html`<a href="${queueAddress(name)}">${name}</a>`,
        ...['state', 'workers', 'waiting', 'oldest', 'active', 'in', 'done', 'failing', 'failed'].map((of) =>
          live(figures, `queue:${name}:${of}`),
        ),
      ]),
      empty: html`No queue has been used yet. <a href="/docs">API Docs</a> show how a job is enqueued.`,
    },
  )}`;
}

function busiestOf(queues: readonly QueueView[]): QueueView[] {
  return [...queues].sort((a, b) => waitingIn(b) - waitingIn(a)).slice(0, MAX_SHOWN_QUEUES);
}

async function plots(jobs: Jobs, pulse: Pulse, { queues, redis }: Look): Promise<Html[]> {
  const busiest = [...queues]
    .sort((a, b) => b.rates.completedPerMinute - a.rates.completedPerMinute)
    .slice(0, MAX_PLOTTED_QUEUES);
  const histories = await Promise.all(busiest.map(({ name }) => jobs.history(name)));
  const sum = (of: 'completed' | 'failed') =>
    Array.from({ length: LAST_MINUTES }, (_, minute) =>
      histories.reduce((total, history) => total + (history[of][minute] ?? 0), 0),
    );
  const { moments } = pulse;
  const hour = <T>(of: (moment: (typeof moments)[number]) => T | null) => [
    ...Array<null>(LAST_MINUTES - moments.length).fill(null),
    ...moments.map(of),
  ];
  const waiting = hour(({ waiting }) =>
    queues.reduce((total, { name }) => total + (waiting.get(name) ?? 0), 0),
  );
  const memory = redis.map(({ roles: [first = ''], figures }, index) => {
    const most = figures?.maxMemoryBytes || undefined;
    const points = hour((moment) => moment.redis[index]?.figures?.usedMemoryBytes ?? null);
    const label = redis.length === 1 ? 'Memory of Redis' : `Memory of Redis, ${first}`;
    return plotCard(label, line({ label, points, show: bytes, most }));
  });
  return [
    plotCard(
      'Jobs done and failed a minute',
      bars({
        label: 'Jobs done and failed a minute',
        series: [sum('completed'), sum('failed')],
        unit: 'jobs',
      }),
    ),
    plotCard('Jobs not finished', line({ label: 'Jobs not finished', points: waiting, show: count })),
    ...memory,
  ];
}

function plotCard(title: string, plot: Html): Html {
  return html`<section class="card"><h3>${title}</h3>${plot}</section>`;
}
