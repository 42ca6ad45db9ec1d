/**
 * This file owns Bull Board as a part of the API. The way of a request:
 * headers > who comes (admin/gate.ts) > scope > from a page of ours > route (routes.ts) > queue (shown-queue.ts) > answer
 */
import { randomUUID } from 'node:crypto';
import type { ErrorCode } from '@sluice/contract';
import { DomainError, type Log, within } from '@sluice/runtime';
import { Hono } from 'hono';
import { z } from 'zod';
import type { AdminContext, Arrival, Gate } from '../admin/gate.ts';
import { CONSOLE_POLICY, setSafeHeaders } from '../admin/headers.ts';
import type { Operator } from '../admin/operator.ts';
import { changesSomething, isFromOwnPage, wantsPage } from '../admin/own-page.ts';
import { SIGN_IN_PATH, signInAddress } from '../admin/sign-in.ts';
import type { ConsoleAssets } from '../console/assets.ts';
import { type BodyBound, readBody } from '../http/body.ts';
import { REQUEST_DEADLINE_MS } from '../http/serve.ts';
import { type Binding, bodyOf } from '../pages.ts';
import { type BoardRoute, openBullBoard } from './bull-board.ts';
import { QueueDirectory, type QueueSource } from './directory.ts';
import { failed } from './failed.ts';
import { Redaction } from './redaction.ts';
import type { RedactionRules } from './redaction-rules.ts';
import { BoardRights } from './rights.ts';
import { answer, deadlineMs, offerOf } from './routes.ts';
import { answerSearch, SEARCH_DEADLINE_MS } from './search-route.ts';

export const BOARD_PATH = '/admin/queues';
const SEARCH_PATH = '/search';

export interface BoardOptions {
  gate: Gate;
  /** Of the pages that say why the board is not shown. */
  assets: ConsoleAssets;
  queues: QueueSource;
  log: Log;
  /** Default: `DEFAULT_RULES`. */
  redaction?: RedactionRules;
}

/** Bull Board's page as `bull-board.ts` serves it needs no inline script and no inline style. */
const POLICY = [
  "default-src 'self'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "object-src 'none'",
  "form-action 'self'",
  "base-uri 'self'",
  "frame-ancestors 'none'",
].join('; ');
const BODY_BOUND: BodyBound = { bytes: 16_384, code: 'body_too_large' };
const BODY = { schema: z.unknown(), isOptional: true };

export function createBoard(options: BoardOptions): { path: string; app: Hono } {
  const { gate, assets, queues, log } = options;
  const board = openBullBoard(BOARD_PATH);
  const redaction = new Redaction(options.redaction);
  const directory = new QueueDirectory({ source: queues, redaction, log });
  const app = new Hono<{ Bindings: Binding; Variables: Arrival }>();

  app.onError((error, c) => failed(c, error, log, assets));
  app.use(async (c, next) => {
    const requestId = randomUUID();
    c.set('requestId', requestId);
    c.header('X-Request-Id', requestId);
    setSafeHeaders(c, POLICY);
    await next();
  });

  app.use(async (c, next) => {
    const entrance = await within(gate.enter(c), REQUEST_DEADLINE_MS);
    if (entrance.kind === 'stranger' && wantsPage(c)) return c.redirect(signInAddress(c), 303);
    if (entrance.kind === 'too many attempts') {
      c.header('Retry-After', String(Math.ceil(entrance.waitMs / 1_000)));
      return c.text('Too many wrong tries.', 429);
    }
    if (entrance.kind !== 'known') throw refusal(entrance.kind);
    demand(c, entrance.operator);
    c.set('operator', entrance.operator);
    return await next();
  });
  for (const view of board.views) {
    app.get(view, async (c) => {
      // A page that can only fail is not begun.
      await within(directory.refresh(), REQUEST_DEADLINE_MS);
      return c.html(board.page(c.get('operator').role));
    });
  }
  app.get(SEARCH_PATH, async (c) => {
    const rights = new BoardRights(c.get('operator'));
    const search = async () => {
      const shown = await directory.list(rights);
      return await answerSearch({ jobs: queues.jobs, queues: shown, query: c.req.query(), assets });
    };
    const page = await within(search(), SEARCH_DEADLINE_MS);
    c.header('Content-Security-Policy', CONSOLE_POLICY);
    return c.html(page.toString());
  });
  app.get('/static/*', async (c) => {
    const asset = board.assets.get(c.req.path.slice(`${BOARD_PATH}/static/`.length));
    if (!asset) throw unknownAddress();
    const caching = asset.isImmutable ? 'private, max-age=31536000, immutable' : 'private, max-age=3600';
    return c.body(await asset.read(), 200, { 'Content-Type': asset.type, 'Cache-Control': caching });
  });
  for (const route of board.routes) {
    const offer = offerOf(route);
    app.on(route.method, route.path, async (c) => {
      if (typeof offer === 'object') throw new DomainError<ErrorCode>('forbidden', offer.refused);
      const rights = new BoardRights(c.get('operator'));
      rights.require(offer);
      const isAction = changesSomething(c);
      if (isAction) rights.requireAction(c.req.param('queueName'), 'manage');
      const body = isAction ? await readBody(bodyOf(c.req.raw), BODY, BODY_BOUND) : undefined;
      const work = serve(route, c, body?.value, rights, directory);
      const { status = 200, body: reply } = await within(work, deadlineMs(route));
      if (isAction) tellAction(log, c, route, status);
      return status === 204 ? c.body(null, 204) : c.json(reply, status);
    });
  }
  app.all('*', (c) => {
    if (c.req.path === `${BOARD_PATH}/` && !changesSomething(c)) return c.redirect(BOARD_PATH, 308);
    throw unknownAddress();
  });
  return { path: BOARD_PATH, app: app as unknown as Hono };
}

async function serve(
  route: BoardRoute,
  c: AdminContext,
  body: unknown,
  rights: BoardRights,
  directory: QueueDirectory,
) {
  const queues = await directory.list(rights);
  return await answer(route, { queues, params: c.req.param(), query: c.req.query(), body });
}

/** Throws unless this key may do this, from where it is done. */
function demand(c: AdminContext, { grants }: Operator): void {
  if (!grants.allows('board', 'read')) {
    throw new DomainError<ErrorCode>('forbidden', 'This key lacks the scope board:read.');
  }
  if (!changesSomething(c)) return;
  if (!isFromOwnPage(c)) {
    throw new DomainError<ErrorCode>('forbidden', 'This request was not sent by a page of this host.');
  }
  if (!grants.allows('board', 'write')) {
    throw new DomainError<ErrorCode>('forbidden', 'This key lacks the scope board:write: it may look only.');
  }
}

function refusal(kind: 'stranger' | 'wrong' | 'busy' | 'not read'): DomainError<ErrorCode> {
  switch (kind) {
    case 'busy':
    case 'not read':
      return new DomainError('redis_unavailable', 'The keys are not read yet, since Redis is not reachable.');
    case 'stranger':
      return new DomainError('unauthenticated', `Sign in at ${SIGN_IN_PATH}, or send an API key.`);
    case 'wrong':
      return new DomainError('unauthenticated', 'This API key is unknown, revoked or expired.');
  }
}

function unknownAddress(): DomainError<ErrorCode> {
  return new DomainError('route_unknown', 'There is nothing at this address of the board.');
}

function tellAction(log: Log, c: AdminContext, { method, path }: BoardRoute, status: number): void {
  const { queueName: queue, jobId, schedulerId } = c.req.param() as Record<string, string | undefined>;
  const { kind, id } = c.get('operator');
  const requestId = c.get('requestId');
  log.info(
    { requestId, principal: `${kind}:${id}`, action: `${method} ${path}`, queue, jobId, schedulerId, status },
    'board action',
  );
}
