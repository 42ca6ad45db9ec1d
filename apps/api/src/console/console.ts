/**
 * This file owns the console as a part of the API. The way of a request:
 * headers > who comes (admin/gate.ts) > scope > from a page of ours, with its token > page (pages/) > frame
 */
import { randomUUID } from 'node:crypto';
import type { ErrorCode } from '@sluice/contract';
import { DomainError, type Log, within } from '@sluice/runtime';
import { Hono } from 'hono';
import type { EntranceParts } from '../admin/entrance.ts';
import type { AdminContext, Entrance } from '../admin/gate.ts';
import { CONSOLE_POLICY, setSafeHeaders } from '../admin/headers.ts';
import { ADMIN_PATH, type OperatorSession } from '../admin/operator-sessions.ts';
import { isFromOwnPage, readForm, wantsPage } from '../admin/own-page.ts';
import { plain } from '../admin/plain-pages.ts';
import { type AdminApp, signInAddress, signInRoutes } from '../admin/sign-in.ts';
import { REQUEST_DEADLINE_MS } from '../http/serve.ts';
import type { ConsoleAssets } from './assets.ts';
import { failureOf } from './failure.ts';
import { addressOf, framed } from './frame.ts';
import { type Action, mayDo, type Need, type Page, type View, type Visit } from './page.ts';
import { LiveStreams } from './stream.ts';

/** Below it, the event stream of each page that has one. */
const STREAMS = '/live';
/** The largest form is a value of a cache. */
const MAX_FORM_BYTES = 65_536;

export interface ConsoleOptions {
  entrance: EntranceParts;
  assets: ConsoleAssets;
  pages: readonly Page[];
  /** Aborts when this process stops: streams end. */
  stopping: AbortSignal;
  log: Log;
}

/** A request of somebody who is in by a session. */
interface Inside {
  visit: Visit;
  session: OperatorSession;
}

/** Mounted at `ADMIN_PATH`. */
export function createConsole(options: ConsoleOptions): Hono {
  const { entrance, assets, pages, stopping, log } = options;
  const { gate, sessions } = entrance;
  const app: AdminApp = new Hono();
  const insides = new WeakMap<Request, Inside>();

  const streams = new LiveStreams();

  const show = (
    c: AdminContext,
    visit: Visit,
    view: Omit<View, 'status'>,
    { status = 200, stream }: { status?: number; stream?: string | undefined } = {},
  ) => c.html(framed({ view, visit, path: c.req.path, pages, assets, stream }).toString(), status as 200);
  const visitOf = (c: AdminContext, { operator, session }: Known): Visit => ({
    operator,
    requestId: c.get('requestId'),
    params: c.req.param() as Record<string, string>,
    query: new URL(c.req.url).searchParams,
    formToken: sessions.formToken(session.sessionId),
    notice: session.notice,
  });
  /** The visit of this request on the route it has reached, where its params are known. */
  const arrived = (c: AdminContext): Inside => {
    const inside = insides.get(c.req.raw);
    if (!inside) throw new TypeError(`nobody has entered at ${c.req.path}`);
    return { ...inside, visit: { ...inside.visit, params: c.req.param() as Record<string, string> } };
  };

  app.onError((error, c) => {
    const inside = insides.get(c.req.raw);
    const { title, body, status } = failureOf(c, error, log);
    if (inside) return show(c, { ...inside.visit, notice: undefined }, { title, body }, { status });
    return c.html(plain(title, body)(assets).toString(), status);
  });
  app.use(async (c, next) => {
    const requestId = randomUUID();
    c.set('requestId', requestId);
    c.header('X-Request-Id', requestId);
    setSafeHeaders(c, CONSOLE_POLICY);
    await next();
  });
  app.get('/static/:file', (c) => {
    const asset = assets.get(c.req.param('file'));
    if (!asset) throw unknownAddress();
    c.header('Cache-Control', 'public, max-age=31536000, immutable');
    return c.body(asset.text, 200, { 'Content-Type': asset.type });
  });
  app.route('/', signInRoutes({ gate, sessions, assets, log }));

  app.use(async (c, next) => {
    const known = knownOf(await within(gate.enterBySession(c), REQUEST_DEADLINE_MS));
    if (!known) {
      if (wantsPage(c)) return c.redirect(signInAddress(c), 303);
      throw new DomainError<ErrorCode>('unauthenticated', 'Your session is over. Sign in again.');
    }
    insides.set(c.req.raw, { visit: visitOf(c, known), session: known.session });
    c.set('operator', known.operator);
    return await next();
  });

  for (const page of pages) {
    app.get(page.path, async (c) => {
      const { visit, session } = arrived(c);
      demand(visit, page.needs);
      const { status = 200, ...view } = await within(Promise.resolve(page.show(visit)), REQUEST_DEADLINE_MS);
      if (session.notice) await sessions.leave(session.token, undefined);
      const stream = page.live && streamAddress(c);
      return show(c, visit, view, { status, stream });
    });
    if (page.live) {
      const { live } = page;
      app.get(STREAMS + page.path, (c) => {
        const { visit } = arrived(c);
        demand(visit, page.needs);
        const body = streams.open({
          look: () => within(live.call(page, visit), REQUEST_DEADLINE_MS),
          isIn: async () => knownOf(await gate.enterBySession(c, { touch: false })) !== undefined,
          stopping,
        });
        if (!body) throw new DomainError<ErrorCode>('overloaded', 'Too many pages are open. Reload by hand.');
        return c.body(body, 200, {
          'Content-Type': 'text/event-stream; charset=utf-8',
          'X-Accel-Buffering': 'no',
        });
      });
    }
    for (const [name, action] of Object.entries(page.actions ?? {})) {
      app.post(`${page.path === '/' ? '' : page.path}/${name}`, async (c) => {
        const { visit, session } = arrived(c);
        const form = await formOf(c, session.sessionId);
        demand(visit, action.needs);
        const deed = await within(carryOut(action, visit, form), REQUEST_DEADLINE_MS);
        log.info(
          {
            requestId: visit.requestId,
            principal: `${session.kind}:${session.id}`,
            action: `${page.path} ${name}`,
            ...visit.params,
          },
          'console action',
        );
        if ('body' in deed)
          return show(c, { ...visit, notice: undefined }, deed, { status: deed.status ?? 200 });
        const back = 'go' in deed ? addressOf(deed.go) : c.req.path.replace(/\/[^/]*$/, '');
        const notice = 'go' in deed ? { kind: 'done' as const, text: deed.done } : deed.notice;
        await sessions.leave(session.token, notice);
        return c.redirect(back, 303);
      });
    }
  }
  app.all('*', (c) => {
    if (c.req.path === `${ADMIN_PATH}/` && c.req.method === 'GET') return c.redirect(ADMIN_PATH, 308);
    throw unknownAddress();
  });
  return app as unknown as Hono;

  /** The form, when it was sent by a page of this session. */
  async function formOf(c: AdminContext, sessionId: string): Promise<URLSearchParams> {
    const form = isFromOwnPage(c) ? await readForm(c, MAX_FORM_BYTES) : undefined;
    if (form && sessions.isFormToken(sessionId, form.get('csrf') ?? '')) return form;
    throw new DomainError<ErrorCode>('forbidden', 'This request was not sent by a page of this console.');
  }
}

/** The query too: it says which part of a list is looked at. */
function streamAddress(c: AdminContext): string {
  const { search } = new URL(c.req.url);
  return `${ADMIN_PATH}${STREAMS}${c.req.path.slice(ADMIN_PATH.length) || '/'}${search}`;
}

type Known = Extract<Entrance, { kind: 'known' }> & { session: OperatorSession };

/** Throws while nobody can be told from a stranger. */
function knownOf(entrance: Entrance): Known | undefined {
  if (entrance.kind === 'not read') {
    throw new DomainError<ErrorCode>(
      'redis_unavailable',
      'The keys are not read yet, since Redis is not reachable.',
    );
  }
  return entrance.kind === 'known' && entrance.session
    ? { ...entrance, session: entrance.session }
    : undefined;
}

/** What was expected to go wrong is told on the page that asked; all else is thrown. */
async function carryOut(action: Action, visit: Visit, form: URLSearchParams) {
  try {
    return await action.act(visit, form);
  } catch (error) {
    if (!(error instanceof DomainError)) throw error;
    return { notice: { kind: 'fault' as const, text: error.message } };
  }
}

function demand(visit: Visit, need: Need): void {
  if (mayDo(visit, need)) return;
  const { kind, label, role } = visit.operator;
  throw new DomainError<ErrorCode>(
    'forbidden',
    `This needs the scope ${need.area}:${need.verb}, which the ${kind} ${label} (${role}) does not have.`,
  );
}

function unknownAddress(): DomainError<ErrorCode> {
  return new DomainError('route_unknown', 'There is nothing at this address of the console.');
}
