/** This file owns the headers that keep pages of the console and the board safe. */
import type { Context } from 'hono';

/** Scripts, styles and pictures are files of ours, forms go to this host, and nobody frames a page. */
export const CONSOLE_POLICY: string = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "form-action 'self'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
].join('; ');

const HEADERS: Readonly<Record<string, string>> = {
  'X-Content-Type-Options': 'nosniff',
  // Not `no-referrer`: it would make browsers send `Origin: null` with our own forms.
  'Referrer-Policy': 'same-origin',
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'X-Frame-Options': 'DENY',
  'Cache-Control': 'no-store',
};

export function setSafeHeaders(c: Context, policy: string): void {
  c.header('Content-Security-Policy', policy);
  for (const [name, value] of Object.entries(HEADERS)) c.header(name, value);
}
