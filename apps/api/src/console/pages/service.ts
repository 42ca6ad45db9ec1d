/** This file owns one cache service: what it is, whether its Redis can be reached, changing and removing it. */
import { connectionReport } from '../connection-report.ts';
import { addressOf } from '../frame.ts';
import { type Html, html } from '../html.ts';
import type { OwnApi } from '../own-api.ts';
import { mayDo, type Page, type View, type Visit } from '../page.ts';
import { actionButton, actionForm, crumbs, facts, heading, instant } from '../parts.ts';
import { faultNotice, orAgain } from '../retry-form.ts';
import { isKind, KINDS, serviceChanges, serviceFields } from '../service-form.ts';
import { CACHES_PATH } from './caches.ts';
import { MAY_CHANGE_SERVICES, SERVICES_PATH, stateOf } from './services.ts';

type Service = Awaited<ReturnType<typeof read>>;

export function servicePage({ api }: { api: OwnApi }): Page {
  const nameOf = ({ params }: Visit) => params.name ?? '';
  const again = async (visit: Visit, told: Html): Promise<View> => view(visit, await read(api, visit), told);
  return {
    path: `${SERVICES_PATH}/:name`,
    needs: { area: 'system', verb: 'read' },
    async show(visit) {
      return view(visit, await read(api, visit));
    },
    actions: {
      test: {
        needs: MAY_CHANGE_SERVICES,
        act: async (visit) =>
          await again(
            visit,
            connectionReport(await api.ask('testStoredService', visit, { params: { name: nameOf(visit) } })),
          ),
      },
      save: {
        needs: MAY_CHANGE_SERVICES,
        async act(visit, form) {
          const kind = form.get('kind');
          const body = serviceChanges(isKind(kind) ? kind : 'cache_redis', form);
          // Of whoever changed it meanwhile nothing is overwritten.
          const headers = { 'if-match': form.get('version') ?? '' };
          return await orAgain(
            async () => {
              await api.ask('patchService', visit, { params: { name: nameOf(visit) }, body, headers });
              return { go: `${SERVICES_PATH}/${encodeURIComponent(nameOf(visit))}`, done: 'Saved.' };
            },
            (reason) => again(visit, reason),
          );
        },
      },
      remove: {
        needs: MAY_CHANGE_SERVICES,
        async act(visit) {
          await api.ask('removeService', visit, { params: { name: nameOf(visit) } });
          return {
            go: SERVICES_PATH,
            done: `Service ${nameOf(visit)} is removed. Its values stay in Redis until they expire.`,
          };
        },
      },
    },
  };
}

async function read(api: OwnApi, visit: Visit) {
  return await api.ask('getService', visit, { params: { name: visit.params.name ?? '' } });
}

function view(visit: Visit, service: Service, told?: Html): View {
  const { name, config, type, problem } = service;
  const kind = isKind(type) ? type : 'cache_redis';
  const at = `${SERVICES_PATH}/${encodeURIComponent(name)}`;
  const isChangeable = mayDo(visit, MAY_CHANGE_SERVICES);
  const text = (value: unknown) => (value === undefined || value === null ? '–' : String(value));
  return {
    title: name,
    body: html`${crumbs([['Services', SERVICES_PATH]])}${heading(
      html`${service.label} ${stateOf(service.is_active, problem)}`,
      html`<div class="actions">
<a class="button primary" href="/docs?service=${encodeURIComponent(name)}">Try it in API Docs</a>
<a class="button" href="${addressOf(`${CACHES_PATH}/${encodeURIComponent(name)}`)}">Browse its keys</a>
${isChangeable && actionButton(visit, { action: addressOf(`${at}/test`), label: 'Test connection' })}</div>`,
    )}
${told}
${problem !== null && faultNotice(problem)}
<div class="cards"><section class="card">${facts([
      ['Name', html`<code>${name}</code>`],
      ['Description', service.description || '–'],
      ['Address', html`<code>/api/v2/${name}</code>`],
      ['Set up by', service.origin],
      [
        'Changed',
        instant(service.last_modified_date === null ? null : Date.parse(service.last_modified_date)),
      ],
    ])}</section><section class="card">${facts([
      ['Kind', KINDS[kind]],
      ['Host', text(config.host)],
      ['Port', text(config.port)],
      ['Password', config.has_password ? 'stored' : 'none'],
      ['Database Index', text(config.database_index)],
      ['Default TTL', `${config.default_ttl} min`],
    ])}</section></div>
${isChangeable && service.mutable && changeForm(visit, service, kind, at)}`,
  };
}

function changeForm(visit: Visit, service: Service, kind: keyof typeof KINDS, at: string): Html {
  const { config, label, description } = service;
  const told = { ...config, label, description } as Record<string, unknown>;
  const names = ['label', 'description', 'host', 'port', 'username', 'database_index', 'default_ttl'];
  const values = Object.fromEntries(
    names.map((name) => [name, told[name] === undefined ? '' : String(told[name])]),
  );
  return html`<h2>Change it</h2>
${actionForm(visit, {
  action: addressOf(`${at}/save`),
  className: 'stack',
  body: html`<input type="hidden" name="kind" value="${kind}"><input type="hidden" name="version" value="${service.version}">
${serviceFields({ kind, values, isNew: false, hasPassword: config.has_password === true })}
<button class="primary">Save</button>`,
})}
<h2>Remove it</h2>
<p>Requests to it are answered with 404 from then on. Its values stay in Redis until they expire.</p>
${actionButton(visit, {
  action: addressOf(`${at}/remove`),
  label: 'Remove this service',
  kind: 'danger',
  confirm: `Remove service ${service.name}?`,
})}`;
}
