/** This file owns the keys of one cache: browsed a page at a time, looked into, deleted. */
import { count, duration } from '../figures.ts';
import { addressOf } from '../frame.ts';
import { type Html, html, type Insert } from '../html.ts';
import type { OwnApi } from '../own-api.ts';
import { mayDo, type Need, type Page, type View, type Visit } from '../page.ts';
import { actionButton, actionForm, crumbs, facts, heading, table } from '../parts.ts';
import { CACHES_PATH } from './caches.ts';

const PAGE_KEYS = 100;
/** More of a value is no longer read by eye. */
const MAX_SHOWN_CHARACTERS = 20_000;
const MAY_DELETE: Need = { area: 'cache', verb: 'delete' };
const MAY_FLUSH: Need = { area: 'cache', verb: 'flush' };

const serviceOf = ({ params }: Visit) => params.service ?? '';
const pathOf = (service: string) => `${CACHES_PATH}/${encodeURIComponent(service)}`;

export function cachePage({ api }: { api: OwnApi }): Page {
  return {
    path: `${CACHES_PATH}/:service`,
    needs: { area: 'cache', verb: 'read' },
    async show(visit) {
      const key = visit.query.get('key');
      return key === null ? await listView(api, visit) : await valueView(api, visit, key);
    },
    actions: {
      delete: {
        needs: MAY_DELETE,
        async act(visit, form) {
          const key = form.get('key') ?? '';
          const params = { service: serviceOf(visit) };
          const { resource = [] } = (await api.ask('flushCache', visit, {
            params,
            query: { keys: [key] },
          })) as { resource?: { success: boolean }[] };
          const wasThere = resource.some(({ success }) => success);
          return {
            go: pathOf(params.service),
            done: wasThere ? `Deleted ${key}.` : `${key} was gone already.`,
          };
        },
      },
      flush: {
        needs: MAY_FLUSH,
        async act(visit, form) {
          const prefix = form.get('prefix')?.trim() ?? '';
          const params = { service: serviceOf(visit) };
          const query = { force: 'true', ...(prefix !== '' && { prefix }) };
          const { deleted } = (await api.ask('flushCache', visit, { params, query })) as { deleted: number };
          return {
            go: pathOf(params.service),
            done: `Deleted ${deleted} ${deleted === 1 ? 'key' : 'keys'}.`,
          };
        },
      },
    },
  };
}

async function listView(api: OwnApi, visit: Visit): Promise<View> {
  const service = serviceOf(visit);
  const prefix = visit.query.get('prefix') ?? '';
  const cursor = visit.query.get('cursor');
  const { resource, meta } = (await api.ask('readKeys', visit, {
    params: { service },
    query: {
      limit: String(PAGE_KEYS),
      include_ttl: 'true',
      ...(prefix !== '' && { prefix }),
      ...(cursor !== null && { cursor }),
    },
  })) as { resource: { key: string; ttl?: number }[]; meta?: { next: string } };
  const here = addressOf(pathOf(service));
  const isDeletable = mayDo(visit, MAY_DELETE);
  const rows = resource.map(({ key, ttl }): Insert[] => [
    html`<a href="${here}?${new URLSearchParams({ key }).toString()}"><code>${key}</code></a>`,
    lifeOf(ttl),
    isDeletable && actionButton(visit, { action: `${here}/delete`, label: 'Delete', hidden: { key } }),
  ]);
  const more = meta && new URLSearchParams({ ...(prefix !== '' && { prefix }), cursor: meta.next });
  return {
    title: `Keys of ${service}`,
    body: html`${crumbs([['Caches', CACHES_PATH]])}${heading(`Keys of ${service}`)}
<form method="get" class="inline"><label for="prefix">Begins with</label><input id="prefix" name="prefix" value="${prefix}" autocomplete="off"><button>Show</button></form>
${table({
  caption: 'Keys',
  columns: [{ label: 'Key' }, { label: 'Ends in', isFigure: true }, { label: 'Action' }],
  rows,
  empty: meta ? 'None on this page.' : 'There is no key.',
})}
${more && html`<p class="pager"><a class="button" href="${here}?${more.toString()}">Next</a></p>`}
${mayDo(visit, MAY_FLUSH) && flushForm(visit, here, prefix)}`,
  };
}

function flushForm(visit: Visit, here: string, prefix: string): Html {
  const what = prefix === '' ? 'every key of this service' : `every key that begins with ${prefix}`;
  return html`<h2>Delete many</h2>
${actionForm(visit, {
  action: `${here}/flush`,
  confirm: `Delete ${what}?`,
  body: html`<input type="hidden" name="prefix" value="${prefix}"><button class="danger">Delete ${what}</button>`,
})}`;
}

async function valueView(api: OwnApi, visit: Visit, key: string): Promise<View> {
  const service = serviceOf(visit);
  const here = addressOf(pathOf(service));
  const found = (await api.ask('readValue', visit, {
    params: { service, key },
    query: { include_ttl: 'true' },
  })) as { value: unknown; ttl?: number; stale?: true };
  const isDeletable = mayDo(visit, MAY_DELETE);
  const text = JSON.stringify(found.value, undefined, 2);
  const shown = text.length > MAX_SHOWN_CHARACTERS ? `${text.slice(0, MAX_SHOWN_CHARACTERS)}…` : text;
  return {
    title: key,
    body: html`${crumbs([
      ['Caches', CACHES_PATH],
      [service, pathOf(service)],
    ])}${heading(html`<code class="break">${key}</code>`, isDeletable && actionButton(visit, { action: `${here}/delete`, label: 'Delete', kind: 'danger', hidden: { key } }))}
<div class="cards"><section class="card">${facts([
      ['Ends in', lifeOf(found.ttl)],
      ['Stale', found.stale ? 'yes' : 'no'],
      ['Characters', count(text.length)],
    ])}</section></div>
<h2>Value</h2>
<pre tabindex="0" aria-label="Value">${shown}</pre>`,
  };
}

/** 0 is for ever, as in the API. */
function lifeOf(ttl: number | undefined): string {
  if (ttl === undefined) return '–';
  return ttl === 0 ? 'never' : duration(ttl * 1_000);
}
