/** This file owns pages that few processes are ever asked for: their code is loaded by the first request, not by the start. */
import { Hono } from 'hono';
import type { Pages } from './app.ts';

/** `load` runs once, at the first request; when it fails, the next request tries again. */
export function lazyPages(path: string, load: () => Promise<Pages>): Pages {
  let loading: Promise<Hono> | undefined;
  const loaded = (): Promise<Hono> => {
    loading ??= load().then(
      (pages) => new Hono().route(pages.path, pages.app),
      (error: unknown) => {
        loading = undefined;
        throw error;
      },
    );
    return loading;
  };
  const app = new Hono();
  app.all('*', async (c) => (await loaded()).fetch(c.req.raw, c.env as object));
  return { path, app };
}
