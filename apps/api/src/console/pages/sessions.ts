/** This file owns the page of sessions: those of one user, ended one by one or all at once. */
import { addressOf } from '../frame.ts';
import { type Html, html } from '../html.ts';
import type { OwnApi } from '../own-api.ts';
import { mayDo, type Need, type Page, type Visit } from '../page.ts';
import { actionButton, heading, instant, table } from '../parts.ts';

const PATH = '/sessions';
const MAY_END: Need = { area: 'sessions', verb: 'write' };

export function sessionsPage({ api }: { api: OwnApi }): Page {
  return {
    path: PATH,
    needs: { area: 'sessions', verb: 'read' },
    nav: { label: 'Sessions', group: 'Data' },
    async show(visit) {
      const user = visit.query.get('user')?.trim() ?? '';
      return {
        title: 'Sessions',
        body: html`${heading('Sessions')}
<form method="get" class="inline"><label for="user">User</label><input id="user" name="user" value="${user}" autocomplete="off"><button>Show</button></form>
${user === '' ? html`<p class="empty">Name a user, as your services name him, to see where he is signed in.</p>` : await sessionsOf(api, visit, user)}`,
      };
    },
    actions: {
      end: {
        needs: MAY_END,
        async act(visit, form) {
          const params = { user_id: form.get('user') ?? '', session_id: form.get('session') ?? '' };
          await api.ask('revokeSession', visit, { params });
          return { go: pathOf(params.user_id), done: 'The session is ended.' };
        },
      },
      'end-all': {
        needs: MAY_END,
        async act(visit, form) {
          const params = { user_id: form.get('user') ?? '' };
          const { revoked } = await api.ask('revokeSessions', visit, { params });
          return {
            go: pathOf(params.user_id),
            done: `Ended ${revoked} ${revoked === 1 ? 'session' : 'sessions'} of ${params.user_id}.`,
          };
        },
      },
    },
  };
}

async function sessionsOf(api: OwnApi, visit: Visit, user: string): Promise<Html> {
  const { resource, meta } = await api.ask('listSessions', visit, { params: { user_id: user } });
  const isEndable = mayDo(visit, MAY_END);
  const hidden = { user };
  const rows = resource.map(({ id, created_at, seen_at, expires_at, address, agent }) => [
    html`<code>${id}</code>`,
    instant(Date.parse(created_at)),
    instant(Date.parse(seen_at)),
    instant(Date.parse(expires_at)),
    address ?? '–',
    agent ?? '–',
    isEndable &&
      actionButton(visit, {
        action: addressOf(`${PATH}/end`),
        label: 'End',
        hidden: { ...hidden, session: id },
      }),
  ]);
  return html`${table({
    caption: `Sessions of ${user}`,
    columns: ['Session', 'Began', 'Last used', 'Ends unused', 'Address', 'With', 'Action'].map((label) => ({
      label,
    })),
    rows,
    empty: html`${user} is not signed in.`,
  })}
<p class="dim">All sessions of this user were ended at once ${meta.generation} times so far.</p>
${isEndable && actionButton(visit, { action: addressOf(`${PATH}/end-all`), label: 'Sign out everywhere', kind: 'danger', confirm: `End every session of ${user}?`, hidden })}`;
}

function pathOf(user: string): string {
  return `${PATH}?${new URLSearchParams({ user }).toString()}`;
}
