/** This file owns the page of all caches: how often each found what it was asked for, and the way to its keys. */
import { count, percent } from '../figures.ts';
import { addressOf } from '../frame.ts';
import { html, type Insert } from '../html.ts';
import type { OwnApi } from '../own-api.ts';
import type { Page, Visit } from '../page.ts';
import { badge, heading, table } from '../parts.ts';

export const CACHES_PATH = '/caches';

export function cachesPage({ api }: { api: OwnApi }): Page {
  return {
    path: CACHES_PATH,
    needs: { area: 'cache', verb: 'read' },
    nav: { label: 'Caches', group: 'Data' },
    async show(visit) {
      const { resource } = await api.ask('listServices', visit);
      const active = resource.filter(({ is_active, problem }) => is_active && problem === null);
      return {
        title: 'Caches',
        body: html`${heading('Caches')}
<p class="dim">Hits and misses are of this server, since it began.</p>
${table({
  caption: 'Caches',
  columns: [
    { label: 'Service' },
    { label: 'Label' },
    { label: 'Kept in' },
    { label: 'Hits', isFigure: true },
    { label: 'Misses', isFigure: true },
    { label: 'Hit ratio', isFigure: true },
    { label: 'Evicted', isFigure: true },
  ],
  rows: await Promise.all(active.map((service) => rowOf(api, visit, service))),
  empty: 'No service is active.',
})}`,
      };
    },
  };
}

async function rowOf(
  api: OwnApi,
  visit: Visit,
  { name, label }: { name: string; label: string },
): Promise<Insert[]> {
  const link = html`<a href="${addressOf(`${CACHES_PATH}/${encodeURIComponent(name)}`)}">${name}</a>`;
  // One Redis that is away does not hide the others.
  const stats = await api.ask('cacheStats', visit, { params: { service: name } }).catch(() => undefined);
  if (!stats) return [link, label, badge('away', 'bad'), '–', '–', '–', '–'];
  const { hits = 0, misses = 0 } = stats.process;
  const evicted = stats.redis?.evicted_keys;
  return [
    link,
    label,
    stats.driver,
    count(hits),
    count(misses),
    hits + misses === 0 ? '–' : percent(hits / (hits + misses)),
    evicted === undefined ? '–' : count(evicted),
  ];
}
