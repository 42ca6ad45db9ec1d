/** This file owns the reading of a Redis URL: redis://[[user]:password@]host[:port][/database], rediss:// for TLS. */

export interface RedisUrl {
  host: string;
  port: number;
  database: number;
  username: string | undefined;
  password: string | undefined;
  isTls: boolean;
}

/**
 * `undefined` for a text that is no such URL, and for one that says more than is understood here (a query, a fragment, a
 * longer path): what is passed over in silence may be what its writer relied on.
 */
export function parseRedisUrl(text: string, defaultPort: number): RedisUrl | undefined {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (!url || !['redis:', 'rediss:'].includes(url.protocol) || url.search !== '' || url.hash !== '')
    return undefined;
  const database = /^\/?(\d{1,2})?$/.exec(url.pathname);
  const [username, password] = [decode(url.username), decode(url.password)];
  const port = Number(url.port || defaultPort);
  if (!database || url.hostname === '' || port === 0 || username === undefined || password === undefined)
    return undefined;
  return {
    host: withoutBrackets(url.hostname),
    port,
    database: Number(database[1] ?? 0),
    username: username || undefined,
    password: password || undefined,
    isTls: url.protocol === 'rediss:',
  };
}

/** `[::1]` as a URL and a list write it, `::1` as a socket wants it. */
export function withoutBrackets(host: string): string {
  return host.replace(/^\[|\]$/g, '');
}

/** `undefined` for a % that is not followed by a byte of UTF-8 in hex. */
function decode(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    // URIError is the only way to be told, and says nothing more.
    return undefined;
  }
}
