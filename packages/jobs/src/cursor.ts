/** This file owns the text by which a caller goes on from page to page. It is no secret and no promise: an old one is still good. */
import { DomainError } from '@sluice/runtime';
import { z } from 'zod';
import type { JobsErrorCode, ListedState } from './schemas.ts';

/** Where a page ended. */
export interface Cursor {
  /** Of the last job in its zset, or its distance from the list's tail. */
  score: string;
  /** Ids of the last jobs told, the last one first: when one is gone, the next tells where the page ended. */
  anchors: string[];
}

const MAX_CURSOR_CHARACTERS = 4_096;

const cursorSchema = z.tuple([
  z.string(),
  z.string().regex(/^-?\d{1,20}(\.\d+)?$/),
  z.array(z.string().max(300)).min(1).max(4),
]);

export function writeCursor(state: ListedState, { score, anchors }: Cursor): string {
  return Buffer.from(JSON.stringify([state, score, anchors])).toString('base64url');
}

/** Throws `job_invalid` for a text that `writeCursor` did not write for this state. */
export function readCursor(text: string, state: ListedState): Cursor {
  const parsed = cursorSchema.safeParse(
    typeof text === 'string' && text.length <= MAX_CURSOR_CHARACTERS ? parseJson(text) : undefined,
  );
  if (!parsed.success || parsed.data[0] !== state) {
    throw new DomainError<JobsErrorCode>('job_invalid', 'cursor is none that a page of this state gave');
  }
  const [, score, anchors] = parsed.data;
  return { score, anchors };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(Buffer.from(text, 'base64url').toString());
  } catch {
    // Not JSON is not a cursor; the caller says so.
    return undefined;
  }
}
