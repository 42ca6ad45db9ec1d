/** This file owns the parts that pages of the console are made of: forms, tables, badges, what is said of nothing. */
import { ADMIN_PATH } from '../admin/operator-sessions.ts';
import { type Html, html, type Insert } from './html.ts';
import type { Visit } from './page.ts';

export function heading(title: Insert, aside?: Insert): Html {
  return html`<div class="heading"><h1>${title}</h1>${aside && html`<div class="aside">${aside}</div>`}</div>`;
}

/** The way that leads here, by name and path below the console. */
export function crumbs(way: readonly (readonly [name: string, path: string])[]): Html {
  return html`<p class="crumbs">${way.map(([name, path]) => html`<a href="${ADMIN_PATH + path}">${name}</a> / `)}</p>`;
}

/** A form that changes something. `confirm`: the question asked first, where scripts run. */
export function actionForm(
  visit: Pick<Visit, 'formToken'>,
  options: { action: string; body: Insert; className?: string; confirm?: string },
): Html {
  const { action, body, className = 'inline', confirm } = options;
  return html`<form method="post" action="${action}" class="${className}"${confirm !== undefined && html` data-confirm="${confirm}"`}>
<input type="hidden" name="csrf" value="${visit.formToken}">${body}</form>`;
}

/** A form of one button. */
export function actionButton(
  visit: Pick<Visit, 'formToken'>,
  options: {
    action: string;
    label: string;
    kind?: 'plain' | 'danger' | 'primary';
    confirm?: string;
    hidden?: Readonly<Record<string, string>>;
    /** What it is done to, for whoever hears the label alone. */
    of?: string;
  },
): Html {
  const { action, label, kind = 'plain', confirm, hidden = {}, of } = options;
  const fields = Object.entries(hidden).map(
    ([name, value]) => html`<input type="hidden" name="${name}" value="${value}">`,
  );
  return actionForm(visit, {
    action,
    body: [
      ...fields,
      html`<button class="${kind}"${of !== undefined && html` aria-label="${label} ${of}"`}>${label}</button>`,
    ],
    ...(confirm !== undefined && { confirm }),
  });
}

/** Says whether the figures move. */
export function liveSign(): Html {
  return html`<span class="badge" data-live-sign>as of now</span>`;
}

/** Large figures in a row. */
export function tiles(pairs: readonly (readonly [string, Insert])[]): Html {
  return html`<dl class="tiles">${pairs.map(([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>`;
}

export interface Column {
  label: string;
  /** Figures stand at the right. */
  isFigure?: boolean;
}

/** `caption` is read out, and not seen. A wide table scrolls by itself, which needs a way there for keys. */
export function table(options: {
  caption: string;
  columns: readonly Column[];
  rows: readonly (readonly Insert[])[];
  /** Said in the place of a table without rows. */
  empty: Insert;
}): Html {
  const { caption, columns, rows, empty } = options;
  if (rows.length === 0) return emptyState(empty);
  const head = columns.map(
    ({ label, isFigure }) => html`<th scope="col"${isFigure && html` class="figure"`}>${label}</th>`,
  );
  const body = rows.map(
    (cells) =>
      html`<tr>${cells.map(
        (cell, index) => html`<td${columns[index]?.isFigure && html` class="figure"`}>${cell}</td>`,
      )}</tr>`,
  );
  return html`<div class="scroll" role="region" aria-label="${caption}" tabindex="0"><table>
<caption>${caption}</caption>
<thead><tr>${head}</tr></thead>
<tbody>${body}</tbody>
</table></div>`;
}

export function emptyState(text: Insert): Html {
  return html`<p class="empty">${text}</p>`;
}

export type BadgeKind = 'plain' | 'good' | 'warn' | 'bad';

export function badge(text: string, kind: BadgeKind = 'plain'): Html {
  return html`<span class="badge" data-kind="${kind}">${text}</span>`;
}

/** A field with its label; `fault` is what was wrong with what was given. */
export function field(options: { name: string; label: string; control: Html; hint?: Insert }): Html {
  const { name, label, control, hint } = options;
  return html`<div class="field"><label for="${name}">${label}</label>${control}${hint && html`<p class="hint">${hint}</p>`}</div>`;
}

/** Pairs of a name and what it is. */
export function facts(pairs: readonly (readonly [string, Insert])[]): Html {
  return html`<dl class="facts">${pairs.map(([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>`;
}

/** An instant: in full for machines and on hover, short for the eye, in UTC. */
export function instant(at: number | null | undefined): Html {
  if (at === null || at === undefined) return html`<span class="dim">–</span>`;
  const iso = new Date(at).toISOString();
  return html`<time datetime="${iso}" title="${iso}">${iso.slice(0, 19).replace('T', ' ')}</time>`;
}
