/** This file owns the board's own pages: sign in, sign out, and what is said when the board cannot be shown. */
import { createHash } from 'node:crypto';
import { html, raw } from 'hono/html';

const STYLE = `
:root{color-scheme:light dark;--ground:#f4f5f7;--sheet:#fff;--ink:#1b2330;--quiet:#56606f;--line:#c9cfd8;--accent:#1f5fc4;--on-accent:#fff;--alarm:#b3261e}
@media(prefers-color-scheme:dark){:root{--ground:#12161c;--sheet:#1b212a;--ink:#e7ebf1;--quiet:#9aa5b4;--line:#3a4453;--accent:#7fb0ff;--on-accent:#0c1524;--alarm:#ff9a90}}
*{box-sizing:border-box}
body{margin:0;min-height:100vh;display:grid;place-items:center;padding:1rem;background:var(--ground);color:var(--ink);font:1rem/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
main{width:100%;max-width:24rem;padding:2rem;background:var(--sheet);border:1px solid var(--line);border-radius:.75rem}
h1{margin:0 0 .25rem;font-size:1.25rem;line-height:1.3}
p{margin:0 0 1.25rem;color:var(--quiet)}
p:last-child{margin-bottom:0}
p[role=alert]{color:var(--alarm)}
label{display:block;margin-bottom:.375rem;font-weight:600}
input{width:100%;padding:.625rem .75rem;margin-bottom:1rem;font:inherit;color:inherit;background:transparent;border:1px solid var(--line);border-radius:.5rem}
button{width:100%;padding:.625rem;font:inherit;font-weight:600;color:var(--on-accent);background:var(--accent);border:0;border-radius:.5rem;cursor:pointer}
:is(input,button,a):focus-visible{outline:2px solid var(--accent);outline-offset:2px}
a{color:var(--accent)}
`;

/** Nothing but this one style sheet and a form to this host. */
export const PAGE_POLICY = [
  "default-src 'none'",
  `style-src 'sha256-${createHash('sha256').update(STYLE).digest('base64')}'`,
  "form-action 'self'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
].join('; ');

export type Page = ReturnType<typeof html>;

/** `next`: where to go once in. `fault`: what was wrong with the last try. */
export function signInPage(options: { action: string; next: string; fault?: string | undefined }): Page {
  const { action, next, fault } = options;
  return page(
    'Sign in',
    html`<h1>Sluice queues</h1>
<p>Sign in with an API key that has the scope <code>board</code>.</p>
${fault === undefined ? '' : html`<p role="alert">${fault}</p>`}
<form method="post" action="${action}">
<input type="hidden" name="next" value="${next}">
<label for="key">API key</label>
<input id="key" name="key" type="password" required autofocus autocomplete="current-password" spellcheck="false" maxlength="512">
<button>Sign in</button>
</form>`,
  );
}

export function signOutPage(options: { action: string; board: string; label: string }): Page {
  const { action, board, label } = options;
  return page(
    'Sign out',
    html`<h1>Sign out</h1>
<p>You are signed in with the key “${label}”.</p>
<form method="post" action="${action}"><button>Sign out</button></form>
<p></p>
<p><a href="${board}">Back to the queues</a></p>`,
  );
}

/** `way`: a link out of it. */
export function noticePage(options: {
  title: string;
  message: string;
  way?: { href: string; text: string };
}): Page {
  const { title, message, way } = options;
  return page(
    title,
    html`<h1>${title}</h1>
<p>${message}</p>
${way === undefined ? '' : html`<p><a href="${way.href}">${way.text}</a></p>`}`,
  );
}

function page(title: string, body: Page): Page {
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>${title} · Sluice</title>
<style>${raw(STYLE)}</style>
</head>
<body><main>${body}</main></body>
</html>
`;
}
