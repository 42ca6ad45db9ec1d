/** This file owns the pages beside the console's frame: sign in, sign out, and what is said when nothing else can be shown. */
import type { ConsoleAssets } from '../console/assets.ts';
import { documentOf, type Html, html } from '../console/html.ts';
import type { Operator } from './operator.ts';
import { ADMIN_PATH } from './operator-sessions.ts';

/** Waits for the names of the files it is styled by. */
export type PlainPage = (assets: ConsoleAssets) => Html;

/** `next`: where to go once in. `fault`: what was wrong with the last try. */
export function signInPage({ next, fault }: { next: string; fault?: string }): PlainPage {
  const action = `${ADMIN_PATH}/login`;
  const hidden = html`<input type="hidden" name="next" value="${next}">`;
  return plain(
    'Sign in',
    html`<h1>Sign in to Sluice</h1>
${fault === undefined ? '' : html`<p class="notice" data-kind="fault" role="alert">${fault}</p>`}
<div class="ways">
<form method="post" action="${action}" class="way">
<h2>With a key</h2>
${hidden}
<label for="key">API key</label>
<input id="key" name="key" type="password" required autofocus autocomplete="off" spellcheck="false" maxlength="512">
<p class="hint">Any key that has the scope <code>board</code>.</p>
<button class="primary">Sign in with the key</button>
</form>
<form method="post" action="${action}" class="way">
<h2>With an account</h2>
${hidden}
<label for="name">Name</label>
<input id="name" name="name" required autocomplete="username" autocapitalize="none" spellcheck="false" maxlength="64">
<label for="password">Password</label>
<input id="password" name="password" type="password" required autocomplete="current-password" maxlength="256">
<p class="hint">Made by <code>sluice accounts add</code>, or here by an admin.</p>
<button class="primary">Sign in with the account</button>
</form>
</div>`,
    'wide',
  );
}

export function signOutPage({ operator, token }: { operator: Operator; token: string }): PlainPage {
  return plain(
    'Sign out',
    html`<h1>Sign out</h1>
<p>You are signed in with the ${operator.kind} <strong>${operator.label}</strong>.</p>
<form method="post" action="${ADMIN_PATH}/logout">
<input type="hidden" name="csrf" value="${token}">
<button class="primary">Sign out</button>
</form>
<p><a href="${ADMIN_PATH}">Back to the console</a></p>`,
  );
}

/** `way`: a link out of it. */
export function noticePage(options: {
  title: string;
  message: string;
  way?: { href: string; text: string };
}): PlainPage {
  const { title, message, way } = options;
  return plain(
    title,
    html`<h1>${title}</h1>
<p>${message}</p>
${way === undefined ? '' : html`<p><a href="${way.href}">${way.text}</a></p>`}`,
  );
}

/** A page of its own, without the frame. */
export function plain(title: string, body: Html, width: 'narrow' | 'wide' = 'narrow'): PlainPage {
  return (assets) =>
    documentOf({
      title,
      assets,
      body: html`<body class="alone"><main class="sheet ${width}">${body}</main></body>`,
    });
}
