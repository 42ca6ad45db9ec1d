/** This file owns reading the trail of changes: who changed what, when, from what to what. Entries are written by the scripts that change. */
import type { Keyspace } from '@sluice/config';
import type { RedisClient } from '@sluice/redis';
import { systemKeys } from './keys.ts';
import { authorSchema, MAX_TRAIL_PAGE, type TrailEntry } from './schemas.ts';

/** About so many are kept; the oldest go first. */
export const MAX_TRAIL_ENTRIES = 10_000;
/** Of what stood before, and of what stands after; a longer one is told by its length. */
const MAX_STATE_CHARACTERS = 8_192;

/** A state as an entry of the trail holds it. `undefined`: there was none. */
export function trailText(state: unknown): string {
  if (state === undefined) return '';
  const text = JSON.stringify(state);
  return text.length <= MAX_STATE_CHARACTERS ? text : JSON.stringify({ omitted_characters: text.length });
}

export interface TrailPage {
  /** The newest first. */
  entries: TrailEntry[];
  /** For the next page; `undefined`: there is none. */
  next: string | undefined;
}

export class Trail {
  readonly #client: RedisClient;
  readonly #key: string;

  constructor(options: { client: RedisClient; keys: Keyspace }) {
    this.#client = options.client;
    this.#key = systemKeys(options.keys).trail;
  }

  /** At most `MAX_TRAIL_PAGE`, the newest first, or those older than `before`. */
  async page({
    limit = MAX_TRAIL_PAGE,
    before,
  }: {
    limit?: number;
    before?: string;
  } = {}): Promise<TrailPage> {
    const from = before === undefined ? '+' : `(${before}`;
    const found = await this.#client.xrevrange(this.#key, from, '-', 'COUNT', limit + 1);
    const entries = found.slice(0, limit).map(([id, fields]) => readEntry(id, fields));
    return { entries, next: found.length > limit ? entries.at(-1)?.id : undefined };
  }
}

function readEntry(id: string, fields: readonly string[]): TrailEntry {
  const values = new Map<string, string>();
  for (let at = 0; at < fields.length; at += 2) values.set(fields[at] as string, fields[at + 1] as string);
  const value = (name: string) => values.get(name) ?? '';
  return {
    id,
    at: Number(id.split('-')[0]),
    author: authorSchema.catch({ kind: 'start', id: null, label: 'unknown' }).parse(stateOf(value('author'))),
    action: value('action'),
    target: value('target'),
    request_id: value('request') || null,
    before: stateOf(value('before')),
    after: stateOf(value('after')),
  };
}

function stateOf(text: string): unknown {
  try {
    return text === '' ? null : JSON.parse(text);
  } catch {
    return null;
  }
}
