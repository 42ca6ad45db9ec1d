/** This file owns rate limits: the policies, what they have decided in this process, and whom they refuse just now. */
import type { ErrorCode } from '@sluice/contract';
import type { Limiter, RefusedSubject } from '@sluice/rate-limit';
import { DomainError } from '@sluice/runtime';
import { ADMIN_PATH } from '../../admin/operator-sessions.ts';
import { count, duration } from '../figures.ts';
import { html, type Insert } from '../html.ts';
import { type LiveFigure, type LiveFigures, live } from '../live.ts';
import { mayDo, type Need, type Page, type Visit } from '../page.ts';
import { actionButton, badge, heading, liveSign, table } from '../parts.ts';

const MANAGE: Need = { area: 'limits', verb: 'manage' };
const MAX_SHOWN = 50;
const TALLIES = ['allowed', 'refused', 'shadowRefused', 'away'] as const;

export function limitsPage({ limiter }: { limiter: Limiter }): Page {
  return {
    path: '/limits',
    needs: { area: 'limits', verb: 'read' },
    nav: { label: 'Limits', group: 'Work' },
    live: async (visit) => figuresOf(limiter, visit),
    async show(visit) {
      const figures = figuresOf(limiter, visit);
      const figure = (label: string) => ({ label, isFigure: true });
      const mayManage = mayDo(visit, MANAGE);
      return {
        title: 'Limits',
        body: html`${heading('Limits', liveSign())}
<p class="dim">What this process has decided since it began. Others decide for others, and count in the same Redis.</p>
${limiter.isAway && html`<p class="notice" data-kind="fault">Redis is away: each policy does what it says of that.</p>`}
<h2>Policies</h2>
${table({
  caption: 'Policies',
  columns: [
    { label: 'Policy' },
    { label: 'Limit' },
    { label: 'Counts' },
    ...['Allowed', 'Refused', 'Refused in shadow', 'Without Redis'].map(figure),
  ],
  rows: [...limiter.policies.values()]
    .filter(({ name }) => mayWith(visit, 'read', name))
    .map((policy) => [
      html`${policy.name} ${policy.isShadow && badge('shadow', 'warn')}`,
      limitOf(policy),
      policy.by ? `requests by ${policy.by.join(', ')}` : 'who asks by name',
      ...TALLIES.map((of) => live(figures, `limit:${policy.name}:${of}`)),
    ]),
  empty: html`No policy holds. <code>POST /api/v2/system/limit</code> makes one.`,
})}
<h2>Refused just now</h2>
${table({
  caption: 'Refused just now',
  columns: [
    { label: 'Who' },
    { label: 'Policy' },
    { label: 'May come again in' },
    ...(mayManage ? [{ label: 'Action' }] : []),
  ],
  rows: limiter
    .refused(MAX_SHOWN)
    .filter(({ policy }) => mayWith(visit, 'read', policy))
    .slice(0, MAX_SHOWN)
    .map((refused) => rowOf(visit, refused, mayManage)),
  empty: 'Nobody is being refused.',
})}`,
      };
    },
    actions: {
      reset: {
        needs: MANAGE,
        async act(visit, form) {
          const [policy, subject] = [form.get('policy') ?? '', form.get('subject') ?? ''];
          if (!mayWith(visit, 'manage', policy)) {
            throw new DomainError<ErrorCode>(
              'forbidden',
              `This needs the scope limits:manage for '${policy}'.`,
            );
          }
          await limiter.reset({ policy, key: subject.split('|').map((part) => decodeURIComponent(part)) });
          return { go: '/limits', done: `The count of ${subject} under ${policy} begins anew.` };
        },
      },
    },
  };
}

function rowOf(
  visit: Visit,
  { policy, subject, retryAfterMs }: RefusedSubject,
  mayManage: boolean,
): Insert[] {
  const row = [html`<span class="break">${subject}</span>`, policy, duration(retryAfterMs)];
  if (!mayManage) return row;
  const action = `${ADMIN_PATH}/limits/reset`;
  if (!mayWith(visit, 'manage', policy)) return [...row, undefined];
  return [...row, actionButton(visit, { action, label: 'Let in', hidden: { policy, subject } })];
}

/** A scope may name one policy, or some. */
function mayWith({ operator }: Visit, verb: 'read' | 'manage', policy: string): boolean {
  return operator.grants.allows('limits', verb, policy);
}

function figuresOf(limiter: Limiter, visit: Visit): LiveFigures {
  return new Map(
    [...limiter.tallies]
      .filter(([policy]) => mayWith(visit, 'read', policy))
      .flatMap(([policy, tally]) =>
        TALLIES.map((of): [string, LiveFigure] => [
          `limit:${policy}:${of}`,
          { text: count(tally[of]), state: of === 'refused' && tally[of] > 0 ? 'warn' : undefined },
        ]),
      ),
  );
}

function limitOf({
  rules: [rule],
}: Limiter['policies'] extends ReadonlyMap<string, infer P> ? P : never): string {
  if (!rule) return '–';
  if (rule.periodMs === null) return `${count(rule.limit)} at once`;
  return `${count(rule.limit)} in ${duration(rule.periodMs)}`;
}
