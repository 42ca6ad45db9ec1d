/** This file owns what stands around every page of the console: who is in, where one can go, what was just done. */
import { ADMIN_PATH, type Notice } from '../admin/operator-sessions.ts';
import { SIGN_OUT_PATH } from '../admin/sign-in.ts';
import type { ConsoleAssets } from './assets.ts';
import { documentOf, type Html, html } from './html.ts';
import { mayDo, type Page, type View, type Visit } from './page.ts';

export const BOARD_LINK: string = `${ADMIN_PATH}/queues`;
/** What an operator sees of himself. */
export const OWN_PATH = '/me';
const GROUPS = ['Work', 'Data', 'System'] as const;

export function framed(options: {
  view: View;
  visit: Pick<Visit, 'operator' | 'notice'>;
  /** Where the page is: it is marked in the navigation. */
  path: string;
  pages: readonly Page[];
  assets: ConsoleAssets;
  /** Where the page's figures are told as they change. */
  stream?: string | undefined;
}): Html {
  const { view, visit, path, pages, assets, stream } = options;
  const { operator, notice } = visit;
  return documentOf({
    title: view.title,
    assets,
    body: html`<body${stream !== undefined && html` data-live-stream="${stream}"`}>
<a class="skip" href="#main">Skip to content</a>
<header class="top">
<a class="brand" href="${ADMIN_PATH}"><img src="${assets.path('icon.svg')}" alt="" width="22" height="22">Sluice</a>
<p class="who"><span class="dim">${operator.kind}</span> <a class="name" href="${addressOf(OWN_PATH)}">${operator.label}</a> <span class="badge">${operator.role}</span> <a href="${SIGN_OUT_PATH}">Sign out</a></p>
</header>
<nav aria-label="Console">${GROUPS.map((group) => navGroup(group, path, visit, pages))}
<div><h2>Elsewhere</h2><ul><li><a href="${BOARD_LINK}">Bull Board</a></li><li><a href="/docs">API Docs</a></li></ul></div>
</nav>
<main id="main" tabindex="-1">
${noticeOf(notice)}
${view.body}
</main>
</body>`,
  });
}

function navGroup(
  group: (typeof GROUPS)[number],
  path: string,
  visit: Pick<Visit, 'operator'>,
  pages: readonly Page[],
): Html | undefined {
  const shown = pages.filter((page) => page.nav?.group === group && mayDo(visit, page.needs));
  if (shown.length === 0) return undefined;
  return html`<div><h2>${group}</h2><ul>${shown.map((page) => {
    const href = addressOf(page.path);
    const isHere = page.path === '/' ? path === ADMIN_PATH : path === href || path.startsWith(`${href}/`);
    return html`<li><a href="${href}"${isHere && html` aria-current="page"`}>${page.nav?.label}</a></li>`;
  })}</ul></div>`;
}

function noticeOf(notice: Notice | undefined): Html | undefined {
  if (!notice) return undefined;
  const role = notice.kind === 'fault' ? 'alert' : 'status';
  return html`<p class="notice" data-kind="${notice.kind}" role="${role}">${notice.text}</p>`;
}

/** The address of a path below the console. */
export function addressOf(path: string): string {
  return path === '/' ? ADMIN_PATH : ADMIN_PATH + path;
}
