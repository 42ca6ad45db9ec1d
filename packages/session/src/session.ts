/** This file owns what a session looks like to those who use it, and the bounds of its data. */
import { DomainError, JsonText, jsonDepth } from '@sluice/runtime';
import type { SessionRecord } from './driver.ts';
import type { SessionErrorCode } from './schemas.ts';

/** A JSON object. As `JsonText` it is kept to the letter; as an object it is kept as `JSON.stringify` writes it. */
export type SessionData = JsonText | Readonly<Record<string, unknown>>;

/** What a list shows: enough for a user to know their own devices. */
export interface SessionSummary {
  /** Names the session in lists, logs and revocations; opens nothing. */
  id: string;
  /** `null`: nobody's, made before a login. */
  userId: string | null;
  /** 1 when created; each save adds one. */
  version: number;
  createdAtMs: number;
  /** The last use that was written down; a younger one may not be. */
  seenAtMs: number;
  /** When it ends if it is not used. */
  expiresAtMs: number;
  /** When it ends whatever happens. */
  endsAtMs: number;
  address: string | null;
  agent: string | null;
}

export interface Session extends SessionSummary {
  /** `data.toJSON()` is the object, `data.text` what was stored. */
  data: JsonText;
}

export const DEFAULT_MAX_DATA_BYTES = 64 * 1024;
export const MAX_DATA_DEPTH = 64;

export function sessionOf(record: SessionRecord): Session {
  return { ...summaryOf(record), data: new JsonText(record.data) };
}

export function summaryOf(record: SessionRecord): SessionSummary {
  const { data: _unused, ...summary } = record;
  return summary;
}

/** The text to store. Throws `session_data_invalid` or `session_data_too_large`. */
export function dataText(data: SessionData, maxBytes: number): string {
  const text = data instanceof JsonText ? data.text : JSON.stringify(data);
  if (typeof text !== 'string' || !text.trimStart().startsWith('{')) {
    throw sessionError('session_data_invalid', 'The data of a session is a JSON object.');
  }
  const bytes = Buffer.byteLength(text);
  if (bytes > maxBytes) {
    throw sessionError(
      'session_data_too_large',
      `The data of a session has at most ${maxBytes} bytes, this has ${bytes}.`,
      {
        bytes,
        maxBytes,
      },
    );
  }
  if (jsonDepth(text) > MAX_DATA_DEPTH) {
    throw sessionError('session_data_invalid', `The data of a session nests at most ${MAX_DATA_DEPTH} deep.`);
  }
  return text;
}

export function sessionError(
  code: SessionErrorCode,
  message: string,
  details?: Readonly<Record<string, unknown>>,
): DomainError<SessionErrorCode> {
  return new DomainError(code, message, details ? { details } : {});
}
