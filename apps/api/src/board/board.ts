/**
 * This file owns Bull Board as a part of the API. The way of a request:
 * headers > who comes (gate.ts) > scope > from a page of ours > route (routes.ts) > queue (shown-queue.ts) > answer
 */
import { randomUUID } from 'node:crypto';
import type { KeyPrincipal } from '@sluice/access';
import type { ErrorCode } from '@sluice/contract';
import { type ClientAddress, clientAddressBy } from '@sluice/rate-limit';
import { type Clock, DomainError, type Log, systemClock, within } from '@sluice/runtime';
import { Hono } from 'hono';
import { z } from 'zod';
import { type BodyBound, readBody } from '../http/body.ts';
import { REQUEST_DEADLINE_MS } from '../http/serve.ts';
import { bodyOf } from '../pages.ts';
import { FailedAttempts } from './attempts.ts';
import { type BoardRoute, openBullBoard } from './bull-board.ts';
import { QueueDirectory, type QueueSource } from './directory.ts';
import { failed, wantsPage } from './failed.ts';
import { type BoardContext, changesSomething, Gate, isFromOwnPage, type Keys } from './gate.ts';
import { Redaction } from './redaction.ts';
import type { RedactionRules } from './redaction-rules.ts';
import { answer, offerOf } from './routes.ts';
import { Sessions } from './session.ts';
import { type BoardApp, signInRoutes } from './sign-in.ts';

export const BOARD_PATH = '/admin/queues';

export interface BoardOptions {
  keys: Keys;
  queues: QueueSource;
  /** 32 bytes, used for nothing else: seals the sessions. */
  secret: Buffer;
  log: Log;
  clock?: Clock;
  /** Default: `DEFAULT_RULES`. */
  redaction?: RedactionRules;
  /** Whose address a request came from, for the bound on wrong keys. Default: the peer's, which a proxy makes one for all. */
  clientAddress?: ClientAddress;
  /** Which queues a key sees that may see the board at all. Default: all. */
  sees?: (principal: KeyPrincipal, queue: string) => boolean;
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
const HEADERS: Readonly<Record<string, string>> = {
  'Content-Security-Policy': POLICY,
  'X-Content-Type-Options': 'nosniff',
  // Not `no-referrer`: it would make browsers send `Origin: null` with our own forms.
  'Referrer-Policy': 'same-origin',
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'X-Frame-Options': 'DENY',
  'Cache-Control': 'no-store',
};
const BODY_BOUND: BodyBound = { bytes: 16_384, code: 'body_too_large' };
const BODY = { schema: z.unknown(), isOptional: true };

export function createBoard(options: BoardOptions): { path: string; app: Hono } {
  const { keys, queues, secret, log, clock = systemClock, sees = () => true } = options;
  const { clientAddress = clientAddressBy(0) } = options;
  const board = openBullBoard(BOARD_PATH);
  const redaction = new Redaction(options.redaction);
  const directory = new QueueDirectory({ source: queues, redaction, log });
  const sessions = new Sessions({ secret, clock });
  const gate = new Gate({ keys, sessions, attempts: new FailedAttempts(clock), clientAddress });
  const app: BoardApp = new Hono();

  app.onError((error, c) => failed(c, error, log, BOARD_PATH));
  app.use(async (c, next) => {
    const requestId = randomUUID();
    c.set('requestId', requestId);
    c.header('X-Request-Id', requestId);
    for (const [name, value] of Object.entries(HEADERS)) c.header(name, value);
    await next();
  });
  signInRoutes(app, { base: BOARD_PATH, gate, sessions, log });

  app.use(async (c, next) => {
    const entrance = gate.enter(c);
    if (entrance.kind === 'stranger' && wantsPage(c)) return c.redirect(signInAddress(c), 303);
    if (entrance.kind === 'too many attempts') {
      c.header('Retry-After', String(Math.ceil(entrance.waitMs / 1_000)));
      return c.text('Too many wrong keys.', 429);
    }
    if (entrance.kind !== 'known') throw refusal(entrance.kind);
    demand(c, entrance.principal);
    c.set('principal', entrance.principal);
    return await next();
  });
  for (const view of board.views) {
    app.get(view, async (c) => {
      // A page that can only fail is not begun.
      await within(directory.refresh(), REQUEST_DEADLINE_MS);
      return c.html(board.page);
    });
  }
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
      const principal = c.get('principal');
      const body = offer === 'act' ? await readBody(bodyOf(c.req.raw), BODY, BODY_BOUND) : undefined;
      const work = serve(route, c, body?.value, (queue) => sees(principal, queue), directory);
      const { status = 200, body: reply } = await within(work, REQUEST_DEADLINE_MS);
      if (offer === 'act') tellAction(log, c, route, status);
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
  c: BoardContext,
  body: unknown,
  sees: (queue: string) => boolean,
  directory: QueueDirectory,
) {
  const isReadOnly = !c.get('principal').grants.allows('board', 'write');
  const queues = await directory.list({ isReadOnly, sees });
  return await answer(route, { queues, params: c.req.param(), query: c.req.query(), body });
}

/** Throws unless this key may do this, from where it is done. */
function demand(c: BoardContext, { grants }: KeyPrincipal): void {
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

function refusal(kind: 'stranger' | 'wrong key' | 'keys not read'): DomainError<ErrorCode> {
  switch (kind) {
    case 'keys not read':
      return new DomainError('redis_unavailable', 'The keys are not read yet, since Redis is not reachable.');
    case 'stranger':
      return new DomainError('unauthenticated', `Sign in at ${BOARD_PATH}/login, or send an API key.`);
    case 'wrong key':
      return new DomainError('unauthenticated', 'This API key is unknown, revoked or expired.');
  }
}

function unknownAddress(): DomainError<ErrorCode> {
  return new DomainError('route_unknown', 'There is nothing at this address of the board.');
}

/** The sign-in page, which leads back here. */
function signInAddress(c: BoardContext): string {
  const { pathname, search } = new URL(c.req.url);
  const next = pathname + search;
  return next === BOARD_PATH ? `${BOARD_PATH}/login` : `${BOARD_PATH}/login?next=${encodeURIComponent(next)}`;
}

function tellAction(log: Log, c: BoardContext, { method, path }: BoardRoute, status: number): void {
  const { queueName: queue, jobId, schedulerId } = c.req.param() as Record<string, string | undefined>;
  const { id: principal } = c.get('principal');
  const requestId = c.get('requestId');
  log.info(
    { requestId, principal, action: `${method} ${path}`, queue, jobId, schedulerId, status },
    'board action',
  );
}
