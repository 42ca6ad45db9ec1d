/** This file owns the accounts of operators: made with a password that is shown once, changed, suspended, removed. */
import { randomBytes } from 'node:crypto';
import type { ErrorCode } from '@sluice/contract';
import { DomainError } from '@sluice/runtime';
import {
  ACCOUNT_ROLES,
  type AccountBody,
  type AccountRole,
  Book,
  newAccount,
  passwordFault,
  type Registry,
  recordedAccounts,
  type StoredRecord,
  sealPassword,
} from '@sluice/system';
import { authorOf, mayGive, ROLE_SCOPES } from '../../admin/operator.ts';
import type { OperatorSessions } from '../../admin/operator-sessions.ts';
import { addressOf } from '../frame.ts';
import { type Html, html, type Insert } from '../html.ts';
import { mayDo, type Need, type Page, type View, type Visit } from '../page.ts';
import { actionButton, actionForm, badge, field, heading, instant, table } from '../parts.ts';
import { orAgain } from '../retry-form.ts';

const PATH = '/accounts';
const CHANGE: Need = { area: 'system', verb: 'write' };
/** 144 bits. */
const GENERATED_PASSWORD_BYTES = 18;

export function accountsPage({
  registry,
  sessions,
}: {
  registry: Registry;
  sessions: OperatorSessions;
}): Page {
  const book = new Book({ registry, recorded: recordedAccounts(), configured: [] });
  const by = (visit: Visit) => ({ author: authorOf(visit.operator), requestId: visit.requestId });
  const nameOf = (form: URLSearchParams) => form.get('account') ?? '';
  /** Changes an account that the operator could have made, into one that he could make. */
  const change = async (visit: Visit, name: string, patch: Partial<AccountBody>) =>
    await book.update(
      name,
      (body) => {
        demandGive(visit, body.role);
        const next = { ...body, ...patch };
        demandGive(visit, next.role);
        return next;
      },
      by(visit),
    );
  const listed = async (visit: Visit, form = new URLSearchParams(), reason?: Html): Promise<View> => {
    await registry.refresh();
    const records = registry.list('account');
    return {
      title: 'Accounts',
      body: html`${heading('Accounts')}${reason}${list(visit, records)}${creation(visit, form)}`,
    };
  };
  return {
    path: PATH,
    needs: { area: 'system', verb: 'read' },
    nav: { label: 'Accounts', group: 'System' },
    show: (visit) => listed(visit),
    actions: {
      create: {
        needs: CHANGE,
        act: (visit, form) =>
          orAgain(
            async () => {
              const [name, role, given] = [
                (form.get('name') ?? '').trim(),
                roleOf(form),
                form.get('password'),
              ];
              demandGive(visit, role);
              const password = given || generatePassword();
              const fault = passwordFault(password);
              if (fault !== undefined) throw new DomainError<ErrorCode>('record_invalid', fault);
              const outcome = await book.create([await newAccount({ name, role, password })], by(visit));
              if ('errors' in outcome) throw outcome.errors[0];
              const done = `The account ${name} may sign in as ${role}.`;
              return given ? { go: PATH, done } : shownOnce(name, password);
            },
            (reason) => listed(visit, form, reason),
          ),
      },
      role: {
        needs: CHANGE,
        async act(visit, form) {
          const [name, role] = [nameOf(form), roleOf(form)];
          await change(visit, name, { role });
          return { go: PATH, done: `The account ${name} is ${role} from now on.` };
        },
      },
      password: {
        needs: CHANGE,
        async act(visit, form) {
          const [name, password] = [nameOf(form), generatePassword()];
          await change(visit, name, { password: await sealPassword(password) });
          await sessions.revokeAll({ kind: 'account', id: name });
          return shownOnce(name, password);
        },
      },
      suspend: {
        needs: CHANGE,
        async act(visit, form) {
          const name = nameOf(form);
          await change(visit, name, { isActive: false });
          await sessions.revokeAll({ kind: 'account', id: name });
          return { go: PATH, done: `The account ${name} opens nothing for now.` };
        },
      },
      restore: {
        needs: CHANGE,
        async act(visit, form) {
          await change(visit, nameOf(form), { isActive: true });
          return { go: PATH, done: `The account ${nameOf(form)} opens again.` };
        },
      },
      remove: {
        needs: CHANGE,
        async act(visit, form) {
          const name = nameOf(form);
          const { body, version } = await book.get(name);
          demandGive(visit, (body as AccountBody).role);
          await book.remove(name, by(visit), { version });
          await sessions.revokeAll({ kind: 'account', id: name });
          return { go: PATH, done: `The account ${name} is gone.` };
        },
      },
    },
  };
}

function demandGive({ operator }: Visit, role: AccountRole): void {
  if (mayGive(operator, role)) return;
  throw new DomainError<ErrorCode>(
    'forbidden',
    `Nobody gives more than he has: an account of the role ${role} is for those who hold its scopes, without a quota.`,
  );
}

function list(visit: Visit, records: readonly StoredRecord[]): Html {
  const mayChange = mayDo(visit, CHANGE);
  return table({
    caption: 'Accounts',
    columns: [
      { label: 'Name' },
      { label: 'Role' },
      { label: 'State' },
      { label: 'Made' },
      { label: 'Changed' },
      ...(mayChange ? [{ label: 'Action' }] : []),
    ],
    rows: records.map(({ body, createdAt, changedAt }) => {
      const { name, role, isActive } = body as AccountBody;
      const row: Insert[] = [
        html`<strong>${name}</strong>`,
        role,
        isActive ? badge('active', 'good') : badge('suspended', 'warn'),
        instant(createdAt),
        instant(changedAt),
      ];
      return mayChange ? [...row, actions(visit, body as AccountBody)] : row;
    }),
    empty: html`No account yet: everybody signs in with a key. <code>npx sluice accounts add</code> makes one too.`,
  });
}

function actions(visit: Visit, { name, role, isActive }: AccountBody): Insert {
  if (!mayGive(visit.operator, role)) return undefined;
  const button = (to: string, label: string, confirm?: string, kind: 'plain' | 'danger' = 'plain') =>
    actionButton(visit, {
      action: addressOf(`${PATH}/${to}`),
      label,
      kind,
      hidden: { account: name },
      of: name,
      ...(confirm !== undefined && { confirm }),
    });
  const roles = ACCOUNT_ROLES.filter((each) => mayGive(visit.operator, each));
  return html`<div class="actions">${actionForm(visit, {
    action: addressOf(`${PATH}/role`),
    body: html`<input type="hidden" name="account" value="${name}"><select name="role" aria-label="Role of ${name}">${options(roles, role)}</select><button aria-label="Set the role of ${name}">Set</button>`,
  })}${[
    button('password', 'New password', `Give ${name} a new password, and end its sessions?`),
    isActive ? button('suspend', 'Suspend') : button('restore', 'Restore'),
    button('remove', 'Remove', `Remove ${name}?`, 'danger'),
  ]}</div>`;
}

function creation(visit: Visit, form: URLSearchParams): Html | undefined {
  const roles = ACCOUNT_ROLES.filter((role) => mayGive(visit.operator, role));
  if (!mayDo(visit, CHANGE) || roles.length === 0) return undefined;
  return html`<h2>New account</h2>
${actionForm(visit, {
  action: addressOf(`${PATH}/create`),
  className: 'stack',
  body: html`${field({
    name: 'name',
    label: 'Name',
    control: html`<input id="name" name="name" required maxlength="64" autocapitalize="none" autocomplete="off" value="${form.get('name')}">`,
    hint: 'Small letters, digits and . _ @ -',
  })}
${field({
  name: 'role',
  label: 'Role',
  control: html`<select id="role" name="role">${options(roles, form.get('role') ?? 'viewer')}</select>`,
  hint: html`viewer: <code>${ROLE_SCOPES.viewer.join(' ')}</code>; operator: <code>${ROLE_SCOPES.operator.join(' ')}</code>; admin: <code>*</code>`,
})}
${field({
  name: 'password',
  label: 'Password',
  control: html`<input id="password" name="password" type="password" autocomplete="new-password" maxlength="256">`,
  hint: 'At least 12 characters. Left empty, one is made and shown once.',
})}
<button class="primary">Make the account</button>`,
})}`;
}

function options(roles: readonly AccountRole[], chosen: string): Html[] {
  return roles.map((role) => html`<option${role === chosen && html` selected`}>${role}</option>`);
}

function roleOf(form: URLSearchParams): AccountRole {
  const role = ACCOUNT_ROLES.find((each) => each === form.get('role'));
  if (role) return role;
  throw new DomainError<ErrorCode>('record_invalid', `A role is one of ${ACCOUNT_ROLES.join(', ')}.`);
}

function generatePassword(): string {
  return randomBytes(GENERATED_PASSWORD_BYTES).toString('base64url');
}

function shownOnce(name: string, password: string): View {
  return {
    title: 'New password',
    body: html`${heading(`Password of ${name}`)}
<p class="notice" data-kind="warn">It is shown here and never again.</p>
<p><code class="secret" id="secret">${password}</code></p>
<p><a class="button" href="${addressOf(PATH)}">To the accounts</a></p>`,
  };
}
