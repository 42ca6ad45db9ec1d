/** This file owns what an operator sees of himself: what he may do, and another password for his account. */
import type { ErrorCode } from '@sluice/contract';
import { DomainError } from '@sluice/runtime';
import {
  type AccountBody,
  Book,
  PasswordCheck,
  passwordFault,
  type Registry,
  recordedAccounts,
  sealPassword,
} from '@sluice/system';
import { authorOf } from '../../admin/operator.ts';
import type { OperatorSessions } from '../../admin/operator-sessions.ts';
import { SIGN_IN_PATH } from '../../admin/sign-in.ts';
import { addressOf, OWN_PATH } from '../frame.ts';
import { type Html, html } from '../html.ts';
import type { Page, View, Visit } from '../page.ts';
import { actionForm, facts, field, heading } from '../parts.ts';
import { orAgain } from '../retry-form.ts';

export function ownAccountPage({
  registry,
  sessions,
}: {
  registry: Registry;
  sessions: OperatorSessions;
}): Page {
  const book = new Book({ registry, recorded: recordedAccounts(), configured: [] });
  const passwords = new PasswordCheck();
  const change = async ({ operator, requestId }: Visit, form: URLSearchParams): Promise<View> => {
    const name = operator.id;
    const { body, version } = await book.get(name);
    const isRight = await passwords.matches(form.get('current') ?? '', (body as AccountBody).password);
    if (isRight === 'busy') throw refused('Many sign in just now. Try again.');
    if (!isRight) throw refused('This is not your password.');
    const next = form.get('password') ?? '';
    const fault = passwordFault(next);
    if (fault !== undefined) throw refused(fault);
    const password = await sealPassword(next);
    const by = { author: authorOf(operator), requestId };
    await book.update(name, (account) => ({ ...account, password }), by, { version });
    await sessions.revokeAll({ kind: 'account', id: name });
    return {
      title: 'Password changed',
      body: html`${heading('Password changed')}
<p>All your sessions are over, this one too. <a href="${SIGN_IN_PATH}">Sign in with the new password</a>.</p>`,
    };
  };
  return {
    path: OWN_PATH,
    needs: { area: 'board', verb: 'read' },
    show: (visit) => shown(visit),
    actions: {
      password: {
        needs: { area: 'board', verb: 'read' },
        act(visit, form) {
          if (visit.operator.kind === 'key') throw refused('A key has no password; rotate it instead.');
          return orAgain(
            () => change(visit, form),
            (reason) => shown(visit, reason),
          );
        },
      },
    },
  };
}

function shown(visit: Visit, reason?: Html): View {
  const { kind, id, label, role, grants } = visit.operator;
  return {
    title: label,
    body: html`${heading(label)}${reason}
<section class="card">${facts([
      ['Signed in with', kind === 'key' ? html`key <code>${id}</code>` : 'an account'],
      ['Role', role],
      ['Scopes', grants.scopes.map((scope) => html`<code>${scope}</code> `)],
    ])}</section>
${kind === 'account' && passwordForm(visit)}`,
  };
}

function passwordForm(visit: Visit): Html {
  const input = (name: string, label: string, autocomplete: string, hint?: string) =>
    field({
      name,
      label,
      control: html`<input id="${name}" name="${name}" type="password" required autocomplete="${autocomplete}" maxlength="256">`,
      hint,
    });
  return html`<h2>Another password</h2>
${actionForm(visit, {
  action: addressOf(`${OWN_PATH}/password`),
  className: 'stack',
  body: html`${input('current', 'Password until now', 'current-password')}
${input('password', 'New password', 'new-password', 'At least 12 characters. Your sessions end.')}
<button class="primary">Change the password</button>`,
})}`;
}

function refused(message: string): DomainError<ErrorCode> {
  return new DomainError('record_invalid', message);
}
