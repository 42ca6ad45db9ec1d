/** This file owns what the board answers when it cannot: a page to a person, the error envelope to a program. */
import type { ErrorCode } from '@sluice/contract';
import type { Log } from '@sluice/runtime';
import type { ContentfulStatusCode } from 'hono/utils/http-status';
import type { AdminContext } from '../admin/gate.ts';
import { wantsPage } from '../admin/own-page.ts';
import { noticePage } from '../admin/plain-pages.ts';
import { SIGN_IN_PATH } from '../admin/sign-in.ts';
import type { ConsoleAssets } from '../console/assets.ts';
import { failure, failureBody } from '../http/failure.ts';

/** Seconds after which a page that met an outage looks again by itself. */
const LOOK_AGAIN_SECONDS = '5';

/** Headlines. Bull Board's page takes them for keys of its dictionary and shows what it does not find there as it is. */
const TITLES: Partial<Record<ErrorCode, string>> = {
  forbidden: 'Not with this key',
  unauthenticated: 'Signed out',
  redis_unavailable: 'Redis is away',
  outcome_unknown: 'Redis is away',
  route_unknown: 'Nothing here',
};
const OTHER_TITLE = 'That did not work';

export function failed(
  c: AdminContext,
  error: unknown,
  log: Log,
  assets: ConsoleAssets,
): Response | Promise<Response> {
  const requestId = c.get('requestId');
  const { reply, reason, isOurs } = failure(error, requestId);
  if (!isOurs)
    log.error({ requestId, method: c.req.method, path: c.req.routePath, err: error }, 'board request failed');
  const told = failureBody(error, requestId);
  const status = reply.status as ContentfulStatusCode;
  const retryAfter = reply.headers['Retry-After'];
  if (retryAfter !== undefined) c.header('Retry-After', retryAfter);
  if (reason === 'unauthenticated') c.header('WWW-Authenticate', challenge(c));
  const title = TITLES[reason] ?? OTHER_TITLE;
  if (!wantsPage(c)) {
    // The envelope of the API, and within it what Bull Board's page looks for.
    return c.json({ error: { ...told, key: title }, message: told.message }, status);
  }
  if (status !== 503) {
    const way = { href: SIGN_IN_PATH, text: 'Sign in with another key' };
    return c.html(noticePage({ title, message: told.message, way })(assets).toString(), status);
  }
  c.header('Refresh', LOOK_AGAIN_SECONDS);
  const message = `Queues are kept in Redis, which does not answer. This page looks again every ${LOOK_AGAIN_SECONDS} seconds.`;
  return c.html(noticePage({ title, message })(assets).toString(), status);
}

/** `Basic` would make browsers ask for a password in the middle of the page, so only who began with it is asked for it. */
function challenge(c: AdminContext): string {
  return /^Basic /i.test(c.req.header('authorization') ?? '')
    ? 'Basic realm="Sluice", charset="UTF-8"'
    : 'Bearer';
}
