/** This file owns what a page of the console is: an address, the scope it needs, what it shows and what it can do. */
import type { Area, Verb } from '@sluice/access/schemas';
import type { Operator } from '../admin/operator.ts';
import type { Notice } from '../admin/operator-sessions.ts';
import type { Html } from './html.ts';
import type { LiveFigures } from './live.ts';

/** A scope; the one that the API asks for the same thing. */
export type Need = { [A in Area]: { area: A; verb: Verb<A> } }[Area];

/** One request for a page. */
export interface Visit {
  readonly operator: Operator;
  readonly requestId: string;
  /** Of the path, decoded. */
  readonly params: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
  /** Each form carries it. */
  readonly formToken: string;
  /** Left by the page before. */
  readonly notice: Notice | undefined;
}

export interface View {
  title: string;
  body: Html;
  /** Default 200. */
  status?: 200 | 400 | 404;
}

/** What an action comes to: another page and what it is told there, or a view of its own. */
export type Deed = { go: string; done: string } | View;

export interface Action {
  needs: Need;
  act(visit: Visit, form: URLSearchParams): Promise<Deed>;
}

export interface Page {
  /** Below the console's own; `/` is its first page. In Hono's spelling. */
  path: string;
  needs: Need;
  /** In the navigation, under this name. */
  nav?: { label: string; group: 'Work' | 'Data' | 'System' };
  show(visit: Visit): Promise<View> | View;
  /** Figures that move while the page is open, by the names it has drawn them under. Asked again and again. */
  live?(visit: Visit): Promise<LiveFigures>;
  /** Each is a POST to `<path>/<name>`. What it throws of our own is told on the page. */
  actions?: Readonly<Record<string, Action>>;
}

export function mayDo({ operator }: Pick<Visit, 'operator'>, { area, verb }: Need): boolean {
  return operator.grants.allowsSome(area, verb as never);
}
