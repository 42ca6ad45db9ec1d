/** This file owns the way in and out of the board for people: a form that takes a key, a form that ends the session. */
import type { Log } from '@sluice/runtime';
import type { Hono } from 'hono';
import type { Binding } from '../pages.ts';
import { type BoardContext, type Gate, isFromOwnPage, type Visit } from './gate.ts';
import { noticePage, PAGE_POLICY, type Page, signInPage, signOutPage } from './pages.ts';
import type { Sessions } from './session.ts';

export type BoardApp = Hono<{ Bindings: Binding; Variables: Visit }>;

/** A key and a path. */
const MAX_FORM_BYTES = 4_096;

interface SignInOptions {
  /** Where the board stands: `/admin/queues`. */
  base: string;
  gate: Gate;
  sessions: Sessions;
  log: Log;
}

export function signInRoutes(app: BoardApp, options: SignInOptions): void {
  const { base, gate, sessions, log } = options;
  const signIn = `${base}/login`;

  app.get('/login', (c) => {
    const next = ownPath(c.req.query('next'), base);
    return show(c, 200, signInPage({ action: signIn, next }));
  });

  app.post('/login', async (c) => {
    if (!isFromOwnPage(c)) return show(c, 403, foreignForm(signIn));
    const form = await readForm(c);
    if (!form) return show(c, 400, foreignForm(signIn));
    const next = ownPath(form.get('next') ?? undefined, base);
    const entrance = gate.tryKey(c, (form.get('key') ?? '').trim());
    const again = (fault: string) => signInPage({ action: signIn, next, fault });
    switch (entrance.kind) {
      case 'known': {
        const { principal } = entrance;
        const isHttps = c.req.header('origin')?.startsWith('https:') === true;
        sessions.begin(c, principal.id, isHttps);
        log.info({ principal: principal.id }, 'signed in to the board');
        return c.redirect(next, 303);
      }
      case 'too many attempts': {
        const seconds = Math.ceil(entrance.waitMs / 1_000);
        c.header('Retry-After', String(seconds));
        return show(c, 429, again(`Too many wrong keys. Try again in ${Math.ceil(seconds / 60)} minutes.`));
      }
      case 'keys not read':
        c.header('Retry-After', '1');
        return show(c, 503, again('The keys are not read yet, since Redis is not reachable. Try again.'));
      case 'stranger':
      case 'wrong key':
        log.warn({ address: gate.addressOf(c) }, 'wrong key at the board');
        return show(c, 401, again('This key is unknown, revoked or expired.'));
    }
  });

  app.get('/logout', (c) => {
    const entrance = gate.enter(c);
    if (entrance.kind !== 'known') return c.redirect(signIn, 303);
    const { label } = entrance.principal;
    return show(c, 200, signOutPage({ action: `${base}/logout`, board: base, label }));
  });

  app.post('/logout', (c) => {
    if (!isFromOwnPage(c)) return show(c, 403, foreignForm(signIn));
    sessions.end(c);
    return c.redirect(signIn, 303);
  });
}

/** Answers with a page of ours. */
export function show(c: BoardContext, status: 200 | 400 | 401 | 403 | 404 | 429 | 500 | 503, page: Page) {
  c.header('Content-Security-Policy', PAGE_POLICY);
  return c.html(page, status);
}

function foreignForm(signIn: string): Page {
  return noticePage({
    title: 'Not accepted',
    message: 'This form was not sent by the board’s own page.',
    way: { href: signIn, text: 'Sign in' },
  });
}

/** `undefined` for what is no small form. */
async function readForm(c: BoardContext): Promise<URLSearchParams | undefined> {
  const type = c.req.header('content-type')?.split(';', 1)[0]?.trim().toLowerCase();
  const length = Number(c.req.header('content-length') ?? Number.NaN);
  if (type !== 'application/x-www-form-urlencoded' || !(length <= MAX_FORM_BYTES)) return undefined;
  return new URLSearchParams(await c.req.text());
}

/** A path below the board; the board itself for everything else, so that no link can lead elsewhere through here. */
function ownPath(next: string | undefined, base: string): string {
  if (next === undefined || !/^[\w/%.~?&=+-]{1,1024}$/.test(next)) return base;
  return next === base || next.startsWith(`${base}/`) || next.startsWith(`${base}?`) ? next : base;
}
