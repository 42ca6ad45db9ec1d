/** This file owns one queue: its figures, its last hour, and its jobs by state or search. */
import type { JobPage, Jobs, JobView, QueueHistory, QueueView } from '@sluice/jobs';
import { LISTED_STATES, type ListedState } from '@sluice/jobs/schemas';
import { count } from '../figures.ts';
import { type Html, html, type Insert } from '../html.ts';
import { live } from '../live.ts';
import type { Page, Visit } from '../page.ts';
import { actionButton, crumbs, heading, instant, liveSign, table, tiles } from '../parts.ts';
import { bars } from '../plots.ts';
import type { Pulse } from '../pulse.ts';
import { jobAddress, queueAddress, queueFiguresOf } from '../queue-figures.ts';
import { ACT, actingOn, actsOnQueue, queueOf } from '../queue-rights.ts';
import { shownJob } from '../shown-job.ts';

const PAGE_JOBS = 25;
/** Of one click; the rest waits for the next. */
const MAX_RETRIED = 1_000;
const STATE_FIGURES: Readonly<Record<ListedState, string>> = {
  waiting: 'waiting',
  prioritized: 'waiting',
  delayed: 'delayed',
  active: 'active',
  'waiting-children': 'children',
  completed: 'completed',
  failed: 'failed',
};

interface Wanted {
  state: ListedState;
  cursor: string | undefined;
  id: string;
  name: string;
  text: string;
}

export function queuePage({ jobs, pulse }: { jobs: Jobs; pulse: Pulse }): Page {
  const figuresOf = (queue: QueueView) => queueFiguresOf({ at: 0, redis: [], queues: [queue] }, pulse);
  return {
    path: '/jobs/:queue',
    needs: { area: 'board', verb: 'read' },
    live: async (visit) => figuresOf(await jobs.queue(queueOf(visit))),
    async show(visit) {
      const wanted = wantedOf(visit);
      const [queue, history, page] = await Promise.all([
        jobs.queue(queueOf(visit)),
        jobs.history(queueOf(visit)),
        find(jobs, queueOf(visit), wanted),
      ]);
      const figures = figuresOf(queue);
      const show = (label: string, of: string): [string, Html] => [
        label,
        live(figures, `queue:${queue.name}:${of}`),
      ];
      return {
        title: queue.name,
        body: html`${crumbs([['Queues', '/jobs']])}
${heading(queue.name, [liveSign(), ...actions(visit, queue)])}
${tiles([
  show('State', 'state'),
  show('Workers', 'workers'),
  show('Waiting', 'waiting'),
  show('Oldest waits', 'oldest'),
  show('In a minute', 'in'),
  show('Done a minute', 'done'),
  show('Failed a minute', 'failing'),
])}
<h2>The last hour</h2>
<section class="card">${hour(history)}</section>
<h2>Jobs</h2>
${searchForm(visit, wanted)}
${tabs(queue, wanted)}
${jobTable(queue.name, page, wanted)}`,
      };
    },
    actions: {
      pause: {
        needs: ACT,
        async act(visit) {
          await jobs.pause(actingOn(visit));
          return { go: `/jobs/${queueOf(visit)}`, done: 'The queue is held: no job of it is begun.' };
        },
      },
      resume: {
        needs: ACT,
        async act(visit) {
          await jobs.resume(actingOn(visit));
          return { go: `/jobs/${queueOf(visit)}`, done: 'The queue goes on.' };
        },
      },
      'retry-failed': {
        needs: ACT,
        async act(visit) {
          const { affected, next } = await jobs.redrive(actingOn(visit), { limit: MAX_RETRIED });
          const rest = next === null ? '' : ' There are more: do it again.';
          const done = `${count(affected)} failed jobs wait again.${rest}`;
          return { go: `/jobs/${queueOf(visit)}`, done };
        },
      },
    },
  };
}

function hour({ completed, failed }: QueueHistory): Html {
  return bars({ label: 'Jobs done and failed a minute', series: [completed, failed], unit: 'jobs a minute' });
}

function actions(visit: Visit, { name, isPaused, counts }: QueueView): Insert[] {
  if (!actsOnQueue(visit, name)) return [];
  const address = queueAddress(name);
  return [
    isPaused
      ? actionButton(visit, { action: `${address}/resume`, label: 'Resume', kind: 'primary' })
      : actionButton(visit, { action: `${address}/pause`, label: 'Pause' }),
    counts.failed > 0 &&
      actionButton(visit, {
        action: `${address}/retry-failed`,
        label: 'Retry failed',
        confirm: `Retry up to ${count(MAX_RETRIED)} failed jobs of ${name}?`,
      }),
  ];
}

/** A text in the data could be guessed letter by letter, so it is looked for by those alone who may act. */
function wantedOf(visit: Visit): Wanted {
  const { query } = visit;
  const state = LISTED_STATES.find((each) => each === query.get('state')) ?? 'waiting';
  const given = (name: string) => (query.get(name) ?? '').trim().slice(0, 256);
  return {
    state,
    cursor: query.get('cursor') ?? undefined,
    id: given('id'),
    name: given('name'),
    text: actsOnQueue(visit, visit.params.queue ?? '') ? given('text') : '',
  };
}

async function find(jobs: Jobs, queue: string, wanted: Wanted): Promise<JobPage & { examined?: number }> {
  const { state, cursor, id, name, text } = wanted;
  const page = { state, limit: PAGE_JOBS, cursor };
  if (!isSearch(wanted)) return await jobs.list(queue, page);
  return await jobs.search(queue, {
    ...page,
    ...(id !== '' && { id }),
    ...(name !== '' && { name }),
    ...(text !== '' && { text }),
  });
}

function isSearch({ id, name, text }: Wanted): boolean {
  return id !== '' || name !== '' || text !== '';
}

function searchForm(visit: Visit, { state, id, name, text }: Wanted): Html {
  const input = (field: string, label: string, value: string) =>
    html`<input name="${field}" value="${value}" aria-label="${label}" placeholder="${label}" maxlength="256">`;
  return html`<form method="get" class="inline" role="search">
<input type="hidden" name="state" value="${state}">
${input('name', 'Whole name', name)}
${input('id', 'Part of the id', id)}
${actsOnQueue(visit, visit.params.queue ?? '') && input('text', 'Part of the data', text)}
<button>Search</button>
</form>`;
}

function tabs({ name, counts }: QueueView, wanted: Wanted): Html {
  return html`<ul class="tabs">${LISTED_STATES.map((state) => {
    const address = addressOf(name, { ...wanted, state, cursor: undefined });
    const isHere = state === wanted.state;
    const title = STATE_FIGURES[state] === 'children' ? 'parents' : state;
    return html`<li><a href="${address}"${isHere && html` aria-current="page"`}>${title} <span class="dim">${count(counts[state])}</span></a></li>`;
  })}</ul>`;
}

function addressOf(queue: string, { state, cursor, id, name, text }: Wanted): string {
  const query = new URLSearchParams({ state });
  for (const [field, value] of Object.entries({ id, name, text, cursor })) if (value) query.set(field, value);
  return `${queueAddress(queue)}?${query}`;
}

function jobTable(
  queue: string,
  { jobs, next, examined }: JobPage & { examined?: number },
  wanted: Wanted,
): Html {
  const looked = examined === undefined ? undefined : `Looked at ${count(examined)} jobs.`;
  return html`${looked !== undefined && html`<p class="dim">${looked}${next !== null && ' There are more: go on below.'}</p>`}
${table({
  caption: `Jobs: ${wanted.state}`,
  columns: [
    { label: 'Job' },
    { label: 'Name' },
    { label: 'Made' },
    { label: wanted.state === 'delayed' ? 'Due' : 'Begun' },
    { label: 'Ended' },
    { label: 'Attempts', isFigure: true },
    { label: 'Error' },
  ],
  rows: jobs.map((job) => rowOf(queue, job)),
  empty: isSearch(wanted) ? 'No job fits, as far as was looked.' : `No job is ${wanted.state}.`,
})}
${next !== null && html`<p class="pager"><a class="button" href="${addressOf(queue, { ...wanted, cursor: next })}">Next</a></p>`}`;
}

function rowOf(queue: string, job: JobView): Insert[] {
  const { name, error } = shownJob(job);
  return [
    html`<a href="${jobAddress(queue, job.id)}"><code>${job.id}</code></a>`,
    name,
    instant(job.createdAt),
    instant(job.state === 'delayed' ? job.runAt : job.startedAt),
    instant(job.finishedAt),
    `${job.attempts.made} of ${job.attempts.max}`,
    error !== undefined && html`<span class="excerpt">${error.slice(0, 120)}</span>`,
  ];
}
