/** This file owns what a Redis failure means: any thrown thing to one of six kinds, decided here and nowhere else. */

/**
 * - `unavailable` not reachable, not answering, or not able to serve this slot just now
 * - `auth` refuses our credentials, or our user may not run the command
 * - `readonly` reachable but takes no writes (replica, MISCONF, too few replicas)
 * - `loading` still reading its data set
 * - `oom` over `maxmemory` and not allowed to evict
 * - `busy` a script blocks it
 */
export const REDIS_FAULT_KINDS = ['unavailable', 'auth', 'readonly', 'loading', 'oom', 'busy'] as const;
export type RedisFaultKind = (typeof REDIS_FAULT_KINDS)[number];

export interface RedisFault {
  kind: RedisFaultKind;
  /** `not_attempted`: Redis never ran it. `unknown`: it was sent, and the answer did not come. */
  outcome: 'not_attempted' | 'unknown';
}

const REFUSED_BY_SERVER: readonly [RegExp, RedisFaultKind][] = [
  [/^(NOAUTH|WRONGPASS|NOPERM)\b|^ERR (invalid password|AUTH )|client sent AUTH/i, 'auth'],
  // Before 7.2, and since.
  [/The user executing the script can't|ACL failure in script:/, 'auth'],
  [/\bREADONLY\b|^MISCONF\b|^NOREPLICAS\b/, 'readonly'],
  [/^LOADING\b/, 'loading'],
  [/\bOOM command not allowed/, 'oom'],
  [/^BUSY\b/, 'busy'],
  [
    /^(MASTERDOWN|CLUSTERDOWN|TRYAGAIN|MOVED|ASK|ERR max number of clients|Too many Cluster redirections)\b/,
    'unavailable',
  ],
];

/** ioredis and Node say these before a command has left the process. */
const NEVER_SENT =
  /isn't writeable and enableOfflineQueue|isn't ready and enableOfflineQueue|ECONNREFUSED|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|EHOSTDOWN|ENETUNREACH|All sentinels are unreachable|Failed to refresh slots cache|None of startup nodes/;

/** ioredis says these of a command that may have reached Redis. */
const NO_ANSWER =
  /Command timed out|Connection is closed|aborted due to connection close|Reached the max retries per request|ECONNRESET|EPIPE|ETIMEDOUT|Socket timeout|not answered within|Connection is in subscriber mode/;

/** Deeper than errors are wrapped, and an end to one that is its own cause. */
const MAX_CAUSES = 8;

/** What went wrong, or `undefined` when `error` is not Redis' doing. Looks into `cause` and ioredis' `lastNodeError`. */
export function redisFault(error: unknown): RedisFault | undefined {
  const chain: Error[] = [];
  for (let at = error; at instanceof Error && chain.length < MAX_CAUSES; at = behind(at)) chain.push(at);
  for (const each of chain.reverse()) {
    const fault = faultOf(each);
    if (fault) return fault;
  }
  return undefined;
}

/**
 * What a Cluster says of a slot on its way, and then has run nothing: `moved` another node has it; `moving` its keys lie on two
 * nodes just now, and a command of several keys waits until all have arrived.
 */
export function slotOnItsWay(error: unknown): 'moved' | 'moving' | undefined {
  if (!(error instanceof Error)) return undefined;
  if (/^MOVED /.test(error.message)) return 'moved';
  return /^(ASK|TRYAGAIN) /.test(error.message) ? 'moving' : undefined;
}

function behind(error: Error): unknown {
  return (error as { lastNodeError?: unknown }).lastNodeError ?? error.cause;
}

function faultOf(error: Error): RedisFault | undefined {
  const refused = REFUSED_BY_SERVER.find(([pattern]) => pattern.test(error.message));
  if (refused) return { kind: refused[1], outcome: 'not_attempted' };
  // Node says nothing but a code when several addresses of one name refused.
  const text = `${(error as { code?: unknown }).code ?? ''} ${error.message}`;
  if (NEVER_SENT.test(text)) return { kind: 'unavailable', outcome: 'not_attempted' };
  if (NO_ANSWER.test(text)) return { kind: 'unavailable', outcome: 'unknown' };
  return undefined;
}
