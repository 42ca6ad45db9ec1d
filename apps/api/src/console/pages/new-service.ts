/** This file owns making a cache service: its kind, its form, a test of the connection, and saving it. */
import { connectionReport } from '../connection-report.ts';
import { addressOf } from '../frame.ts';
import { type Html, html } from '../html.ts';
import type { OwnApi } from '../own-api.ts';
import type { Page, View, Visit } from '../page.ts';
import { actionForm, crumbs, heading } from '../parts.ts';
import { orAgain } from '../retry-form.ts';
import { isKind, KINDS, type Kind, serviceBody, serviceFields, valuesOf } from '../service-form.ts';
import { MAY_CHANGE_SERVICES, NEW_SERVICE_PATH, SERVICES_PATH } from './services.ts';

export function newServicePage({ api }: { api: OwnApi }): Page {
  const again = (visit: Visit, form: URLSearchParams, told: Html): View =>
    formView(visit, kindOf(form), { values: valuesOf(form), told });
  return {
    path: NEW_SERVICE_PATH,
    needs: MAY_CHANGE_SERVICES,
    show(visit) {
      const kind = visit.query.get('kind');
      return isKind(kind) ? formView(visit, kind) : chooseView();
    },
    actions: {
      test: {
        needs: MAY_CHANGE_SERVICES,
        act(visit, form) {
          const { name = 'test', ...body } = serviceBody(kindOf(form), form);
          return orAgain(
            async () => {
              const test = await api.ask('testService', visit, { body: { name, ...body } });
              return again(visit, form, connectionReport(test));
            },
            (reason) => again(visit, form, reason),
          );
        },
      },
      save: {
        needs: MAY_CHANGE_SERVICES,
        act: (visit, form) =>
          orAgain(
            async () => {
              const { resource } = await api.ask('createServices', visit, {
                body: serviceBody(kindOf(form), form),
              });
              const name = resource[0]?.name ?? '';
              return {
                go: `${SERVICES_PATH}/${encodeURIComponent(name)}`,
                done: `Service ${name} is saved. Every server serves it within two seconds.`,
              };
            },
            (reason) => again(visit, form, reason),
          ),
      },
    },
  };
}

function kindOf(form: URLSearchParams): Kind {
  const kind = form.get('kind');
  return isKind(kind) ? kind : 'cache_redis';
}

function chooseView(): View {
  const choices = Object.entries(KINDS).map(
    ([kind, label]) =>
      html`<li><a class="button" href="${addressOf(NEW_SERVICE_PATH)}?kind=${kind}">${label}</a></li>`,
  );
  return {
    title: 'New service',
    body: html`${crumbs([['Services', SERVICES_PATH]])}${heading('New service')}<p>API Type <strong>Cache</strong>. What is it kept in?</p>
<div class="actions">${choices}</div>`,
  };
}

function formView(
  visit: Visit,
  kind: Kind,
  { values = {}, told }: { values?: Readonly<Record<string, string>>; told?: Html } = {},
): View {
  const title = `New ${KINDS[kind]} service`;
  const test = addressOf(`${NEW_SERVICE_PATH}/test`);
  return {
    title,
    body: html`${crumbs([['Services', SERVICES_PATH]])}${heading(title)}
${actionForm(visit, {
  action: addressOf(`${NEW_SERVICE_PATH}/save`),
  className: 'stack',
  body: html`<input type="hidden" name="kind" value="${kind}">
${serviceFields({ kind, values, isNew: true, hasPassword: false })}
<div id="report">${told}</div>
<div class="actions"><button class="primary">Save</button>
<button formaction="${test}" data-report="report">Test connection</button></div>`,
})}`,
  };
}
