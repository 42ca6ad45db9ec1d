/** This file owns what the console says when it cannot: in its frame to whoever is in, and plainly to everybody else. */
import type { ErrorCode } from '@sluice/contract';
import type { Log } from '@sluice/runtime';
import type { ContentfulStatusCode } from 'hono/utils/http-status';
import type { AdminContext } from '../admin/gate.ts';
import { ADMIN_PATH } from '../admin/operator-sessions.ts';
import { changesSomething } from '../admin/own-page.ts';
import { failure, failureBody } from '../http/failure.ts';
import { type Html, html } from './html.ts';

/** Seconds after which a page that met an outage looks again by itself. */
const LOOK_AGAIN_SECONDS = 5;

const TITLES: Partial<Record<ErrorCode, string>> = {
  forbidden: 'Not allowed',
  redis_unavailable: 'Redis is away',
  outcome_unknown: 'Redis is away',
  route_unknown: 'Nothing here',
  queue_not_found: 'Nothing here',
  job_not_found: 'Nothing here',
  record_unknown: 'Nothing here',
  key_unknown: 'Nothing here',
};

export interface Failure {
  title: string;
  body: Html;
  status: ContentfulStatusCode;
}

/** Logs what nobody expected, sets the headers that belong to the fault, and says it in words. */
export function failureOf(c: AdminContext, error: unknown, log: Log): Failure {
  const requestId = c.get('requestId');
  const { reply, reason, isOurs } = failure(error, requestId);
  if (!isOurs) {
    const path = c.req.routePath;
    log.error({ requestId, method: c.req.method, path, err: error }, 'console request failed');
  }
  const retryAfter = reply.headers['Retry-After'];
  if (retryAfter !== undefined) c.header('Retry-After', retryAfter);
  const title = TITLES[reason] ?? 'That did not work';
  const status = reply.status as ContentfulStatusCode;
  const looksAgain = status === 503 && !changesSomething(c);
  if (looksAgain) c.header('Refresh', String(LOOK_AGAIN_SECONDS));
  const { message } = failureBody(error, requestId);
  const body = html`<h1>${title}</h1>
<p>${message}</p>
${looksAgain && html`<p>This page looks again every ${LOOK_AGAIN_SECONDS} seconds.</p>`}
<p class="dim">Request <code>${requestId}</code></p>
<p><a href="${ADMIN_PATH}">To the overview</a></p>`;
  return { title, body, status };
}
