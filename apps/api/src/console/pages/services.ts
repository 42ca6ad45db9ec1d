/** This file owns the list of cache services: where the published page's way to a new one begins. */
import { addressOf } from '../frame.ts';
import { type Html, html } from '../html.ts';
import type { OwnApi } from '../own-api.ts';
import { mayDo, type Need, type Page, type Visit } from '../page.ts';
import { badge, heading, table } from '../parts.ts';
import { isKind, KINDS } from '../service-form.ts';

export const SERVICES_PATH = '/services';
/** Not below the list: a service may be named new. */
export const NEW_SERVICE_PATH = '/new-service';
export const MAY_CHANGE_SERVICES: Need = { area: 'system', verb: 'write' };

export function servicesPage({ api }: { api: OwnApi }): Page {
  return {
    path: SERVICES_PATH,
    needs: { area: 'system', verb: 'read' },
    nav: { label: 'Services', group: 'Data' },
    async show(visit) {
      const { resource } = await api.ask('listServices', visit);
      const rows = resource.map(({ name, label, type, config, is_active, problem, origin }) => [
        html`<a href="${addressOf(`${SERVICES_PATH}/${encodeURIComponent(name)}`)}">${name}</a>`,
        label,
        isKind(type) ? KINDS[type] : type,
        `${config.default_ttl} min`,
        origin,
        stateOf(is_active, problem),
      ]);
      return {
        title: 'Services',
        body: html`${heading('API Generation & Connections', mayDo(visit, MAY_CHANGE_SERVICES) && newLink())}
${typeForm(visit)}
${table({
  caption: 'Services',
  columns: ['Name', 'Label', 'Kind', 'Default TTL', 'Set up by', 'State'].map((label) => ({ label })),
  rows,
  empty: 'There is no service yet.',
})}`,
      };
    },
  };
}

export function stateOf(isActive: boolean, problem: string | null): Html {
  if (problem !== null) return badge('problem', 'bad');
  return isActive ? badge('active', 'good') : badge('off');
}

function newLink(): Html {
  return html`<a class="button primary" href="${addressOf(NEW_SERVICE_PATH)}"><span aria-hidden="true">+</span> New service</a>`;
}

/** One type so far; the page's first step names it. */
function typeForm({ query }: Visit): Html {
  const isChosen = query.get('api_type') === 'cache';
  return html`<form method="get" class="inline"><label for="api_type">API Type</label>
<select id="api_type" name="api_type"><option value="">All</option><option value="cache"${isChosen && html` selected`}>Cache</option></select>
<button>Show</button></form>`;
}
