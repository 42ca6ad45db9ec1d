/** This file owns what a handler answers: a status, a body that is text already, headers as a plain object. */

export interface Reply {
  status: number;
  /** `null` for an answer without a body; a stream for Server-Sent Events. */
  body: string | ReadableStream<Uint8Array> | null;
  headers: Record<string, string>;
}

export const JSON_TYPE = 'application/json; charset=utf-8';

/** A JSON answer of a value. */
export function json(status: number, value: unknown, headers: Record<string, string> = {}): Reply {
  return jsonText(status, JSON.stringify(value), headers);
}

/** A JSON answer whose text is ready, for values that are carried untouched. */
export function jsonText(status: number, text: string, headers: Record<string, string> = {}): Reply {
  return { status, body: text, headers: Object.assign({ 'Content-Type': JSON_TYPE }, headers) };
}

/** An answer without a body. */
export function empty(status: number, headers: Record<string, string> = {}): Reply {
  return { status, body: null, headers };
}

/**
 * Gives a reply the headers that every answer has (contract.md §1). They are set one by one on the reply's own object:
 * an object spread together from two becomes a dictionary, whose headers cost Node three times as much to write.
 */
export function withCommonHeaders(reply: Reply, requestId: string): Reply {
  const { headers } = reply;
  headers['X-Request-Id'] = requestId;
  headers['X-Content-Type-Options'] = 'nosniff';
  headers['Cache-Control'] ??= 'no-store';
  return reply;
}
