/**
 * This file owns the search of the board: that of `@sluice/jobs`, told as the board shows jobs.
 *
 * What it finds has to stand in what is shown. Else whoever may not see a secret could find out, letter by letter, which
 * jobs hold it.
 */
import type { Jobs } from '@sluice/jobs';
import { LISTED_STATES, type ListedState } from '@sluice/jobs/schemas';
import type { ShownQueue } from './shown-queue.ts';

/** What is looked at: the whole name, or a part of the id or of the data as JSON. */
export const SEARCHED = ['data', 'name', 'id'] as const;
export type Searched = (typeof SEARCHED)[number];

export interface JobSearch {
  text: string;
  by: Searched;
  /** Absent: in every state. */
  state?: ListedState | undefined;
  /** Of an answer before, to go on; only with a state. */
  cursor?: string | undefined;
}

export interface Hit {
  queue: string;
  id: string;
  /** As the board shows it. */
  name: string;
  state: ListedState;
  /** Milliseconds since the epoch. */
  createdAt: number;
}

export interface Found {
  hits: Hit[];
  /** Jobs looked at. */
  examined: number;
  /** States that hold more jobs to look at, with where to go on. */
  more: { state: ListedState; cursor: string }[];
}

/** Of each state. */
const MAX_HITS = 50;

/** Looks for about a second. */
export async function searchQueue(
  jobs: Pick<Jobs, 'search'>,
  queue: ShownQueue,
  { text, by, state, cursor }: JobSearch,
): Promise<Found> {
  const states = state === undefined ? LISTED_STATES : [state];
  const option = { data: 'text', name: 'name', id: 'id' }[by];
  const pages = await Promise.all(
    states.map(async (each) => {
      const page = await jobs.search(queue.getName(), {
        state: each,
        limit: MAX_HITS,
        [option]: text,
        cursor,
      });
      return { state: each, ...page };
    }),
  );
  const found: Found = { hits: [], examined: 0, more: [] };
  for (const page of pages) {
    found.examined += page.examined;
    if (page.next !== null) found.more.push({ state: page.state, cursor: page.next });
    for (const { id } of page.jobs) {
      const shown = (await queue.getJob(id))?.toJSON();
      if (!shown || !isShown(shown, by, text)) continue;
      found.hits.push({
        queue: queue.getName(),
        id,
        name: shown.name,
        state: page.state,
        createdAt: shown.timestamp,
      });
    }
  }
  return found;
}

function isShown(shown: { name: string; data?: unknown }, by: Searched, text: string): boolean {
  if (by === 'id') return true;
  if (by === 'name') return shown.name === text;
  return squeezed(JSON.stringify(shown.data ?? null)).includes(squeezed(text));
}

/** White space between members is the sender's. */
function squeezed(text: string): string {
  return text.replace(/\s+/g, '');
}
