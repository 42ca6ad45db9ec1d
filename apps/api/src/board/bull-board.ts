/** This file owns what is taken from Bull Board: its routes, its page and its files, collected where it expects a server. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createBullBoard } from '@bull-board/api';
import type {
  AppControllerRoute,
  AppViewRoute,
  BullBoardRequest,
  ControllerHandlerReturnType,
  IServerAdapter,
  UIConfig,
} from '@bull-board/api/typings/app';
import type { AccountRole } from '@sluice/system';
import { ADMIN_PATH } from '../admin/operator-sessions.ts';
import { SIGN_OUT_PATH } from '../admin/sign-in.ts';
import { BAR, SCRIPT, STYLES } from './additions.ts';
import { type Asset, findAssets } from './assets.ts';
import type { ShownQueue } from './shown-queue.ts';

/** Seconds between two looks of a page, which asks about every queue each time. */
export const POLL_SECONDS = 10;

const STYLE_PATH = 'css/sluice.css';
const BODY = '<body';
const SCRIPT_PATH = 'js/sluice.js';

export interface BoardRoute {
  method: string;
  path: string;
  handle(call: BoardCall): Promise<ControllerHandlerReturnType>;
}

export interface BoardCall {
  queues: ReadonlyMap<string, ShownQueue>;
  params: Record<string, string>;
  query: Record<string, string>;
  body: unknown;
}

export interface BullBoard {
  routes: readonly BoardRoute[];
  /** Paths at which the page is served. */
  views: readonly string[];
  /** The page as this role gets it. */
  page(role: AccountRole): string;
  assets: ReadonlyMap<string, Asset>;
}

/** Bull Board for `base`, the path it is served at. Throws when its page is not the one that this was written for. */
export function openBullBoard(base: string): BullBoard {
  const collector = new Collector();
  const uiConfig: UIConfig = {
    boardTitle: 'Sluice',
    miscLinks: [
      { text: 'Console', url: ADMIN_PATH },
      { text: 'Sign out', url: SIGN_OUT_PATH },
    ],
    // A page of somebody else's.
    hideDocsLink: true,
    // Addresses and versions of servers are not for everyone who may look at jobs.
    hideRedisDetails: true,
    showWorkers: false,
    sortQueues: true,
    pollingInterval: { forceInterval: POLL_SECONDS, showSetting: false },
  };
  createBullBoard({ queues: [], serverAdapter: collector, options: { uiConfig } });
  const { routes, view, uiConfig: config, viewsPath, staticPath } = collector;
  const { name, params } = view.handler({ basePath: base, uiConfig: config });
  const page = fillPage(readFileSync(join(viewsPath, name), 'utf8'), params);
  return {
    routes: routes.flatMap((route) => toRoutes(route, config)),
    views: [view.route].flat(),
    page: (role) => page.replace(BODY, `<body data-role="${role}"`),
    assets: new Map([
      ...findAssets(staticPath),
      [STYLE_PATH, ownAsset('text/css; charset=utf-8', STYLES)],
      [SCRIPT_PATH, ownAsset('text/javascript; charset=utf-8', SCRIPT)],
    ]),
  };
}

/** Takes what Bull Board hands to a server; the queues are ours to give, with each call. */
class Collector implements IServerAdapter {
  routes: readonly AppControllerRoute[] = [];
  uiConfig: UIConfig = {};
  viewsPath = '';
  staticPath = '';
  #view: AppViewRoute | undefined;

  get view(): AppViewRoute {
    if (!this.#view) throw new TypeError('Bull Board has handed over no page');
    return this.#view;
  }

  setApiRoutes(routes: AppControllerRoute[]): this {
    this.routes = routes;
    return this;
  }

  setEntryRoute(view: AppViewRoute): this {
    this.#view = view;
    return this;
  }

  setViewsPath(path: string): this {
    this.viewsPath = path;
    return this;
  }

  setStaticPath(_route: string, path: string): this {
    this.staticPath = path;
    return this;
  }

  setUIConfig(config: UIConfig): this {
    this.uiConfig = config;
    return this;
  }

  setQueues(): this {
    return this;
  }

  setErrorHandler(): this {
    return this;
  }
}

function toRoutes(route: AppControllerRoute, uiConfig: UIConfig): BoardRoute[] {
  const handle = async ({ queues, params, query, body }: BoardCall): Promise<ControllerHandlerReturnType> => {
    const request = { queues, uiConfig, params, query, body: body ?? {}, headers: {} };
    return await route.handler(request as unknown as BullBoardRequest);
  };
  return [route.method]
    .flat()
    .flatMap((method) =>
      [route.route].flat().map((path) => ({ method: method.toUpperCase(), path, handle })),
    );
}

/**
 * The page with our style sheet, and without what a strict policy refuses: fonts from elsewhere, and the styles in line
 * of what is shown while the scripts load.
 */
function fillPage(template: string, params: Readonly<Record<string, string>>): string {
  const page = template
    .replace(/<link\b[^>]*fonts\.googleapis\.com[^>]*>/, '')
    .replace(/<div id="root">[\s\S]*<\/style>\s*<\/div>/, `${BAR}<div id="root"></div>`)
    .replace(
      '</head>',
      `<link href="static/${STYLE_PATH}" rel="stylesheet"><script defer src="static/${SCRIPT_PATH}"></script></head>`,
    )
    .replace(/<%= (\w+) %>/g, (_, name: string) => escapeHtml(params[name] ?? ''))
    // Already escaped for a script element by Bull Board.
    .replace(/<%- uiConfig %>/g, () => params.uiConfig ?? '{}');
  if (!page.includes(BODY) || /<%|<style|\sstyle=|\son\w+=|\b(?:src|href)="(?:https?:)?\/\//.test(page)) {
    throw new TypeError('Bull Board’s page has changed: it holds what our policy refuses, or a placeholder');
  }
  return page;
}

function ownAsset(type: string, text: string): Asset {
  const bytes = new TextEncoder().encode(text);
  return { type, isImmutable: false, read: () => Promise.resolve(bytes) };
}

function escapeHtml(text: string): string {
  const entities: Readonly<Record<string, string>> = {
    '&': '&amp;',
    '<': '&lt;',
    '>': '&gt;',
    '"': '&quot;',
  };
  return text.replace(/[&<>"]/g, (character) => entities[character] ?? '');
}
