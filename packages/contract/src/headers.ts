/** This file owns the request headers that routes read beside the key, as the document tells them. */
import { z } from 'zod';

const told = (name: string, description: string) => ({ [name]: z.string().optional().meta({ description }) });

export const IDEMPOTENCY_KEY = z.object(
  told('Idempotency-Key', 'What is to be done once: for 24 hours the same key answers with the same job'),
);
export const IF_MATCH_HEADER = z.object(told('If-Match', 'Only while the ETag is this one; else 412'));
export const IF_NONE_MATCH = z.object(told('If-None-Match', 'An ETag: when it is still the value’s, 304'));
export const LAST_EVENT_ID = z.object(told('Last-Event-ID', 'The last id that was seen; goes on behind it'));
export const SESSION_TOKEN = z.object(told('X-DreamFactory-Session-Token', 'The token of the session'));
export const CONFIRM = z.object({
  'X-Confirm': z.string().meta({ description: 'The name of the queue, once more' }),
});
