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
  return { status, body: JSON.stringify(value), headers: { 'Content-Type': JSON_TYPE, ...headers } };
}

/** A JSON answer whose text is ready, for values that are carried untouched. */
export function jsonText(status: number, text: string, headers: Record<string, string> = {}): Reply {
  return { status, body: text, headers: { 'Content-Type': JSON_TYPE, ...headers } };
}

/** An answer without a body. */
export function empty(status: number, headers: Record<string, string> = {}): Reply {
  return { status, body: null, headers };
}
