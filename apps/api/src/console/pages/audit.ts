/** This file owns the trail of changes: who changed what, when, from what to what. */
import { addressOf } from '../frame.ts';
import { type Html, html, type Insert } from '../html.ts';
import type { OwnApi } from '../own-api.ts';
import type { Page } from '../page.ts';
import { heading, instant, table } from '../parts.ts';

const PATH = '/audit';
const PAGE_ENTRIES = 50;
const LONG_TARGET = 40;
/** Members that change with every change. */
const TOLD_ELSEWHERE: readonly string[] = ['version'];

export function auditPage({ api }: { api: OwnApi }): Page {
  return {
    path: PATH,
    needs: { area: 'system', verb: 'read' },
    nav: { label: 'Audit', group: 'System' },
    async show(visit) {
      const cursor = visit.query.get('cursor');
      const query = { limit: String(PAGE_ENTRIES), ...(cursor !== null && { cursor }) };
      const { resource, meta } = await api.ask('readTrail', visit, { query });
      return {
        title: 'Audit',
        body: html`${heading('Audit')}
<p class="dim">Changes of services, limits, keys and accounts, the newest first. About 10,000 are kept.</p>
${table({
  caption: 'Changes',
  columns: [{ label: 'When' }, { label: 'Who' }, { label: 'Did' }, { label: 'To' }, { label: 'What' }],
  rows: resource.map(({ at, author, action, target, before, after, request_id: requestId }) => [
    instant(Date.parse(at)),
    html`${author.label} <span class="dim">${author.kind}</span>`,
    html`<code>${action}</code>`,
    html`<code class="${target.length > LONG_TARGET ? 'break' : 'nowrap'}">${target}</code>`,
    details(before, after, requestId),
  ]),
  empty: 'Nothing has been changed yet.',
})}
${meta.next && html`<p class="pager"><a class="button" href="${addressOf(PATH)}?cursor=${meta.next}">Older</a></p>`}`,
      };
    },
  };
}

/** Members that are another than before; all of what was made or removed. */
function details(before: unknown, after: unknown, requestId: string | null): Insert {
  const changes = changesOf(before, after);
  const lines = changes.map(
    ([name, was, is]) =>
      html`<div><dt>${name}</dt><dd>${was !== undefined && html`<del>${was}</del> `}${is !== undefined && html`<ins>${is}</ins>`}</dd></div>`,
  );
  return html`<details><summary>${summaryOf(before, after, changes)}</summary><dl class="facts changes">${lines}${requestOf(requestId)}</dl></details>`;
}

function summaryOf(before: unknown, after: unknown, changes: readonly Change[]): string {
  if (before === null) return 'made';
  if (after === null) return 'removed';
  return changes.length === 0
    ? 'no change'
    : changes
        .map(([name]) => name)
        .join(', ')
        .slice(0, 80);
}

function requestOf(requestId: string | null): Html | undefined {
  return requestId === null ? undefined : html`<div><dt>request</dt><dd><code>${requestId}</code></dd></div>`;
}

type Change = [name: string, was: string | undefined, is: string | undefined];

function changesOf(before: unknown, after: unknown): Change[] {
  const [was, is] = [membersOf(before), membersOf(after)];
  const names = [...new Set([...was.keys(), ...is.keys()])].filter((name) => !TOLD_ELSEWHERE.includes(name));
  return names
    .map((name): Change => [name, was.get(name), is.get(name)])
    .filter(([, one, other]) => one !== other);
}

function membersOf(state: unknown): Map<string, string> {
  if (typeof state !== 'object' || state === null) return new Map();
  return new Map(Object.entries(state).map(([name, value]) => [name, JSON.stringify(value)]));
}
