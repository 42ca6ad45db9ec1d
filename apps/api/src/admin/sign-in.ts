/** This file owns the way in and out for people: a form that takes a key or an account, a form that ends the session. */
import type { Log } from '@sluice/runtime';
import { Hono } from 'hono';
import type { ConsoleAssets } from '../console/assets.ts';
import type { Binding } from '../pages.ts';
import type { AdminContext, Arrival, Credentials, Gate, Refusal } from './gate.ts';
import { ADMIN_PATH, type OperatorSessions } from './operator-sessions.ts';
import { isFromOwnPage, readForm } from './own-page.ts';
import { noticePage, type PlainPage, signInPage, signOutPage } from './plain-pages.ts';

export type AdminApp = Hono<{ Bindings: Binding; Variables: Arrival }>;

export const SIGN_IN_PATH = `${ADMIN_PATH}/login`;
export const SIGN_OUT_PATH = `${ADMIN_PATH}/logout`;

/** A key or a password, and a path. */
const MAX_FORM_BYTES = 4_096;

interface SignInOptions {
  gate: Gate;
  sessions: OperatorSessions;
  assets: ConsoleAssets;
  log: Log;
}

/** `/login` and `/logout`, below `ADMIN_PATH`. */
export function signInRoutes({ gate, sessions, assets, log }: SignInOptions): AdminApp {
  const app: AdminApp = new Hono();
  const show = (c: AdminContext, status: 200 | 400 | 401 | 403 | 429 | 503, page: PlainPage) =>
    c.html(page(assets).toString(), status);

  app.get('/login', (c) => show(c, 200, signInPage({ next: ownPath(c.req.query('next')) })));

  app.post('/login', async (c) => {
    if (!isFromOwnPage(c)) return show(c, 403, FOREIGN_FORM);
    const form = await readForm(c, MAX_FORM_BYTES);
    if (!form) return show(c, 400, FOREIGN_FORM);
    const next = ownPath(form.get('next') ?? undefined);
    const given = credentialsOf(form);
    const proof = await gate.prove(c, given);
    if (proof.kind === 'proved') {
      await sessions.begin(c, proof.signedIn, gate.addressOf(c));
      log.info({ principal: `${proof.signedIn.kind}:${proof.signedIn.id}` }, 'operator signed in');
      return c.redirect(next, 303);
    }
    if (proof.kind === 'wrong') log.warn({ address: gate.addressOf(c) }, 'operator not signed in');
    const { status, fault, retryAfterSeconds } = refusalOf(proof, given);
    if (retryAfterSeconds !== undefined) c.header('Retry-After', String(retryAfterSeconds));
    return show(c, status, signInPage({ next, fault }));
  });

  app.get('/logout', async (c) => {
    const entrance = await gate.enterBySession(c);
    if (entrance.kind !== 'known' || !entrance.session) return c.redirect(SIGN_IN_PATH, 303);
    const token = sessions.formToken(entrance.session.sessionId);
    return show(c, 200, signOutPage({ operator: entrance.operator, token }));
  });

  app.post('/logout', async (c) => {
    if (!isFromOwnPage(c)) return show(c, 403, FOREIGN_FORM);
    const session = await sessions.read(c);
    const token = (await readForm(c, MAX_FORM_BYTES))?.get('csrf') ?? '';
    if (session && !sessions.isFormToken(session.sessionId, token)) return show(c, 403, FOREIGN_FORM);
    await sessions.end(c);
    return c.redirect(SIGN_IN_PATH, 303);
  });
  return app;
}

/** Where somebody without a session is sent, who then comes back. */
export function signInAddress(c: AdminContext): string {
  const { pathname, search } = new URL(c.req.url);
  const next = pathname + search;
  return next === ADMIN_PATH ? SIGN_IN_PATH : `${SIGN_IN_PATH}?next=${encodeURIComponent(next)}`;
}

const FOREIGN_FORM = noticePage({
  title: 'Not accepted',
  message: 'This form was not sent by a page of the console that you are signed in to.',
  way: { href: SIGN_IN_PATH, text: 'Sign in' },
});

function credentialsOf(form: URLSearchParams): Credentials {
  const key = form.get('key');
  if (key !== null) return { key: key.trim() };
  return { name: (form.get('name') ?? '').trim(), password: form.get('password') ?? '' };
}

function refusalOf(
  refusal: Refusal,
  given: Credentials,
): { status: 401 | 429 | 503; fault: string; retryAfterSeconds?: number } {
  switch (refusal.kind) {
    case 'wrong': {
      const fault =
        'key' in given
          ? 'This key is unknown, revoked or expired.'
          : 'Name and password do not belong together.';
      return { status: 401, fault };
    }
    case 'too many attempts': {
      const retryAfterSeconds = Math.ceil(refusal.waitMs / 1_000);
      const minutes = Math.ceil(retryAfterSeconds / 60);
      return {
        status: 429,
        fault: `Too many wrong tries. Try again in ${minutes} minutes.`,
        retryAfterSeconds,
      };
    }
    case 'busy':
      return { status: 503, fault: 'Many sign in just now. Try again.', retryAfterSeconds: 5 };
    case 'not read':
      return {
        status: 503,
        fault: 'The keys are not read yet, since Redis is not reachable. Try again.',
        retryAfterSeconds: 1,
      };
  }
}

/** A path of ours; the console for everything else, so that no link can lead elsewhere through here. */
function ownPath(next: string | undefined): string {
  if (next === undefined || !/^[\w/%.~?&=+:@-]{1,1024}$/.test(next)) return ADMIN_PATH;
  const isBelow =
    next === ADMIN_PATH || next.startsWith(`${ADMIN_PATH}/`) || next.startsWith(`${ADMIN_PATH}?`);
  return isBelow ? next : ADMIN_PATH;
}
