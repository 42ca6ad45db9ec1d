/** This file owns API keys: listed, made and shown once, rotated, suspended, revoked. */
import { SCOPE_VERBS } from '@sluice/access/schemas';
import type { RouteReply, routes } from '@sluice/contract';
import { addressOf } from '../frame.ts';
import { type Html, html, type Insert } from '../html.ts';
import type { OwnApi } from '../own-api.ts';
import { mayDo, type Need, type Page, type View, type Visit } from '../page.ts';
import { actionButton, actionForm, badge, field, heading, instant, table } from '../parts.ts';
import { orAgain } from '../retry-form.ts';

const PATH = '/keys';
const CHANGE: Need = { area: 'system', verb: 'write' };
const LIVES = [
  ['', 'until revoked'],
  ['1', 'a day'],
  ['30', '30 days'],
  ['90', '90 days'],
  ['365', 'a year'],
] as const;
const DAY_MS = 86_400_000;

type Key = RouteReply<(typeof routes)['getKey']>;

export function keysPage({ api }: { api: OwnApi }): Page {
  const listed = async (visit: Visit, form = new URLSearchParams(), reason?: Html): Promise<View> => {
    const { resource } = await api.ask('listKeys', visit);
    return {
      title: 'Keys',
      body: html`${heading('Keys')}${reason}${list(visit, resource)}${newKey(visit, form)}`,
    };
  };
  const idOf = (form: URLSearchParams) => ({ id: form.get('id') ?? '' });
  const setActive = async (visit: Visit, form: URLSearchParams, isActive: boolean) => {
    const key = await api.ask('updateKey', visit, { params: idOf(form), body: { is_active: isActive } });
    return key.label;
  };
  return {
    path: PATH,
    needs: { area: 'system', verb: 'read' },
    nav: { label: 'Keys', group: 'System' },
    show: (visit) => listed(visit),
    actions: {
      create: {
        needs: CHANGE,
        act: (visit, form) =>
          orAgain(
            async () => shownOnce(await api.ask('createKey', visit, { body: keyOf(form) })),
            (reason) => listed(visit, form, reason),
          ),
      },
      rotate: {
        needs: CHANGE,
        async act(visit, form) {
          return shownOnce(await api.ask('rotateKey', visit, { params: idOf(form), body: {} }), 'rotated');
        },
      },
      suspend: {
        needs: CHANGE,
        async act(visit, form) {
          return { go: PATH, done: `The key ${await setActive(visit, form, false)} opens nothing for now.` };
        },
      },
      restore: {
        needs: CHANGE,
        async act(visit, form) {
          return { go: PATH, done: `The key ${await setActive(visit, form, true)} opens again.` };
        },
      },
      revoke: {
        needs: CHANGE,
        async act(visit, form) {
          const { label } = await api.ask('revokeKey', visit, { params: idOf(form) });
          return { go: PATH, done: `The key ${label} opens nothing any more.` };
        },
      },
    },
  };
}

function list(visit: Visit, keys: readonly Key[]): Html {
  const mayChange = mayDo(visit, CHANGE);
  return table({
    caption: 'Keys',
    columns: [
      { label: 'Key' },
      { label: 'Scopes' },
      { label: 'State' },
      { label: 'Made' },
      { label: 'Last used' },
      { label: 'Ends' },
      ...(mayChange ? [{ label: 'Action' }] : []),
    ],
    rows: keys.map((key) => {
      const row: Insert[] = [
        html`<strong>${key.label}</strong><br><code class="dim">${key.id}</code>`,
        html`<span class="scopes">${key.scopes.map((scope) => html`<code>${scope}</code> `)}</span>`,
        stateOf(key),
        timeOf(key.created_at),
        timeOf(key.last_used_at),
        timeOf(key.revoked_at ?? key.expires_at),
      ];
      return mayChange ? [...row, actions(visit, key)] : row;
    }),
    empty: 'There is no key.',
  });
}

function actions(visit: Visit, { id, label, is_active: isActive, revoked_at: revokedAt }: Key): Insert {
  if (revokedAt !== null) return undefined;
  const button = (name: string, text: string, confirm?: string, kind: 'plain' | 'danger' = 'plain') =>
    actionButton(visit, {
      action: addressOf(`${PATH}/${name}`),
      label: text,
      kind,
      hidden: { id },
      of: label,
      ...(confirm !== undefined && { confirm }),
    });
  return html`<div class="actions">${[
    isActive &&
      button('rotate', 'Rotate', `Make a new key in the place of ${label}? The old one works for a day.`),
    isActive ? button('suspend', 'Suspend') : button('restore', 'Restore'),
    button('revoke', 'Revoke', `Revoke ${label} for good?`, 'danger'),
  ]}</div>`;
}

function newKey(visit: Visit, form: URLSearchParams): Html | undefined {
  if (!mayDo(visit, CHANGE)) return undefined;
  const areas = Object.entries(SCOPE_VERBS).map(
    ([area, verbs]) => html`<code>${area}:</code>${verbs.join(', ')}; `,
  );
  return html`<h2>New key</h2>
${actionForm(visit, {
  action: addressOf(`${PATH}/create`),
  className: 'stack',
  body: html`${field({
    name: 'label',
    label: 'Label',
    control: html`<input id="label" name="label" required maxlength="100" value="${form.get('label')}">`,
    hint: 'Whose key it is, for people.',
  })}
${field({
  name: 'scopes',
  label: 'Scopes',
  control: html`<textarea id="scopes" name="scopes" required spellcheck="false" rows="4">${form.get('scopes')}</textarea>`,
  hint: html`One a line, as <code>jobs:enqueue:mail</code> or <code>cache:read:redis/user:*</code>; <code>*</code> opens everything. ${areas}`,
})}
${field({
  name: 'days',
  label: 'Works',
  control: html`<select id="days" name="days">${LIVES.map(
    ([days, text]) =>
      html`<option value="${days}"${form.get('days') === days && html` selected`}>${text}</option>`,
  )}</select>`,
})}
<button class="primary">Make the key</button>`,
})}`;
}

function keyOf(form: URLSearchParams) {
  const days = Number(form.get('days') ?? '');
  const expires = days > 0 && days <= 3_650 ? new Date(Date.now() + days * DAY_MS).toISOString() : undefined;
  return {
    label: form.get('label') ?? '',
    scopes: (form.get('scopes') ?? '').split(/\s+/).filter((scope) => scope !== ''),
    ...(expires !== undefined && { expires_at: expires }),
  };
}

function shownOnce({ label, key }: { label: string; key: string }, how: 'made' | 'rotated' = 'made'): View {
  return {
    title: 'New key',
    body: html`${heading(`Key for ${label}`)}
<p class="notice" data-kind="warn">It is shown here and never again.</p>
<p><code class="secret" id="secret">${key}</code></p>
${how === 'rotated' && html`<p>The old key works for a day more.</p>`}
<p><a class="button" href="${addressOf(PATH)}">To the keys</a></p>`,
  };
}

function stateOf({ is_active: isActive, revoked_at: revokedAt, expires_at: expiresAt }: Key): Html {
  if (revokedAt !== null) return badge('revoked', 'bad');
  if (!isActive) return badge('suspended', 'warn');
  if (expiresAt !== null && Date.parse(expiresAt) <= Date.now()) return badge('expired', 'bad');
  return badge('valid', 'good');
}

function timeOf(text: string | null): Html {
  return instant(text === null ? null : Date.parse(text));
}
