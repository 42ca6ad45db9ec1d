/** This file owns whether a request that changes something was sent by a page of ours. */
import type { Context } from 'hono';

/**
 * True when a page of this host sent the request. Browsers say so in `Sec-Fetch-Site`, which no page can write, or where
 * that is not sent (plain http) in `Origin`. A request with neither comes from no browser, and is refused all the same.
 */
export function isFromOwnPage(c: Context): boolean {
  const site = c.req.header('sec-fetch-site');
  if (site !== undefined) return site === 'same-origin';
  const origin = c.req.header('origin');
  return origin !== undefined && URL.canParse(origin) && new URL(origin).host === c.req.header('host');
}

export function changesSomething(c: Context): boolean {
  return c.req.method !== 'GET' && c.req.method !== 'HEAD';
}

/** True for a browser that opens an address, as opposed to a page that fetches data. */
export function wantsPage(c: Context): boolean {
  return !changesSomething(c) && c.req.header('accept')?.includes('text/html') === true;
}

/** The form of a request; `undefined` for what is no form of at most `maxBytes`. */
export async function readForm(c: Context, maxBytes: number): Promise<URLSearchParams | undefined> {
  const type = c.req.header('content-type')?.split(';', 1)[0]?.trim().toLowerCase();
  const length = Number(c.req.header('content-length') ?? Number.NaN);
  if (type !== 'application/x-www-form-urlencoded' || !(length <= maxBytes)) return undefined;
  return new URLSearchParams(await c.req.text());
}
