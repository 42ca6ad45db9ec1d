/** This file owns what a reader gets: messages and gaps, and the order of their ids. */

export interface Message {
  kind: 'message';
  /** Where it stands among the kept messages; `null`: it was not kept. */
  id: string | null;
  /** JSON, as it was published. */
  text: string;
}

/** Messages after `after` may be lost: they were trimmed or expired before the reader came back. */
export interface Gap {
  kind: 'gap';
  after: string;
}

export type ChannelEvent = Message | Gap;

/** Before everything that is kept. */
export const BEGINNING = '0-0';

/** As `publish.lua` sends it; `before` is the id of the kept message before this one. */
export function parsePublished(payload: string): { message: Message; before: string | null } {
  const end = payload.indexOf('\n');
  const [id = '', before = ''] = payload.slice(0, end).split(' ');
  return {
    message: { kind: 'message', id: id || null, text: payload.slice(end + 1) },
    before: before || null,
  };
}

/** Whether stream id `a` comes after `b`. */
export function isAfter(a: string, b: string): boolean {
  const [aMs = 0, aCount = 0] = a.split('-').map(Number);
  const [bMs = 0, bCount = 0] = b.split('-').map(Number);
  return aMs === bMs ? aCount > bCount : aMs > bMs;
}
