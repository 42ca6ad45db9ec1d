/** This file owns the board's page of search: a form, what was found, and the ways back. */
import { LISTED_STATES } from '@sluice/jobs/schemas';
import { ADMIN_PATH } from '../admin/operator-sessions.ts';
import type { ConsoleAssets } from '../console/assets.ts';
import { documentOf, type Html, html } from '../console/html.ts';
import { instant, table } from '../console/parts.ts';
import { type Found, type JobSearch, SEARCHED } from './search.ts';

const BOARD = `${ADMIN_PATH}/queues`;
const LABELS = { data: 'text of the data', name: 'the whole name', id: 'part of the id' } as const;

export interface SearchOutcome extends Found {
  /** Queues that there was no time for. */
  unsearched: readonly string[];
}

export function searchPage(options: {
  assets: ConsoleAssets;
  queues: readonly string[];
  /** '' for all of them. */
  queue: string;
  search: JobSearch;
  /** Absent when nothing was asked yet. */
  outcome?: SearchOutcome;
}): Html {
  const { assets, queues, queue, search, outcome } = options;
  const { text, by, state } = search;
  const body = html`<body class="alone"><main class="sheet wide">
<p class="crumbs"><a href="${ADMIN_PATH}">Console</a> / <a href="${BOARD}">Bull Board</a> /</p>
<h1>Search jobs</h1>
<form method="get" action="${BOARD}/search" role="search">
<div class="row">
<div class="field"><label for="q">Look for</label><input id="q" name="q" type="search" value="${text}" required maxlength="1024" spellcheck="false"></div>
<div class="field"><label for="by">in</label><select id="by" name="by">${SEARCHED.map((each) => choice(each, LABELS[each], by))}</select></div>
<div class="field"><label for="queue">of</label><select id="queue" name="queue">${choice('', 'every queue', queue)}${queues.map((each) => choice(each, each, queue))}</select></div>
<div class="field"><label for="state">that are</label><select id="state" name="state">${choice('', 'in any state', state ?? '')}${LISTED_STATES.map((each) => choice(each, each, state ?? ''))}</select></div>
</div>
<p><button class="primary">Search</button></p>
</form>
${outcome && results(outcome, queue, search)}
</main></body>`;
  return documentOf({ title: 'Search jobs', assets, body });
}

function choice(value: string, label: string, chosen: string): Html {
  return html`<option value="${value}"${value === chosen && html` selected`}>${label}</option>`;
}

function results(
  { hits, examined, more, unsearched }: SearchOutcome,
  queue: string,
  search: JobSearch,
): Html {
  const rows = hits.map((hit) => [
    html`<a href="${BOARD}/queue/${encodeURIComponent(hit.queue)}/${encodeURIComponent(hit.id)}">${hit.id}</a>`,
    hit.name,
    hit.queue,
    hit.state,
    instant(hit.createdAt),
  ]);
  const further = queue === '' ? [] : more;
  return html`<p role="status">${hits.length} found among ${examined} jobs looked at.</p>
${table({
  caption: 'Jobs found',
  columns: ['Job', 'Name', 'Queue', 'State', 'Made'].map((label) => ({ label })),
  rows,
  empty: 'Nothing that the board shows holds this. What is masked, or cut for its length, is not found here.',
})}
${further.length > 0 && html`<p>There are more jobs to look at: ${further.map((each) => html`<a href="${onward(queue, search, each)}">${each.state}</a> `)}</p>`}
${queue === '' && more.length > 0 && html`<p>Some queues hold more jobs than were looked at: choose one to go on.</p>`}
${unsearched.length > 0 && html`<p>There was no time for ${unsearched.length} queues: choose one.</p>`}`;
}

function onward(queue: string, { text, by }: JobSearch, more: { state: string; cursor: string }): string {
  return `${BOARD}/search?${new URLSearchParams({ q: text, by, queue, ...more })}`;
}
