/** This file owns pages of a service's keys in Redis: SCAN with a cursor that the caller carries, never KEYS. */
import { mastersOf, type RedisClient, scanPage } from '@sluice/redis';
import { z } from 'zod';
import type { ListPage } from './driver.ts';
import { refuse } from './rules.ts';

const MAX_SCAN_COUNT = 1_000;
/** Keys that SCAN told beyond the page, carried in the cursor. A step of one bucket overshoots by a few keys at most. */
const MAX_CARRIED_KEYS = 4;
/** Few keys of ours among many of others make many SCANs: after this long the page ends short. */
const PAGE_BUDGET_MS = 1_000;

/** A place in the iteration: the master (by address), SCAN's own cursor there, and keys already read but not yet told. */
interface Place {
  node: string;
  scan: string;
  carried: string[];
}

const placeShape = z.tuple([
  z.string().max(300),
  z.string().regex(/^\d{1,20}$/),
  z.array(z.string()).max(10_000),
]);

export async function listPage(
  client: RedisClient,
  options: { root: string; prefix: string; limit: number; cursor: string | undefined },
): Promise<ListPage> {
  const { root, prefix, limit } = options;
  const nodes = mastersOf(client)
    .map((node) => ({ node, name: `${node.options.host}:${node.options.port}` }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
  const start = options.cursor === undefined ? undefined : readCursor(options.cursor);
  const carried = (start?.carried ?? []).filter((key) => key.startsWith(prefix));
  const told = new Set(carried.slice(0, limit));
  let left = carried.slice(limit);
  let at = start ? nodes.findIndex(({ name }) => name >= start.node) : 0;
  let scan = start && nodes[at]?.name === start.node ? start.scan : '0';
  let count = Math.min(limit, MAX_SCAN_COUNT);
  const endsAt = performance.now() + PAGE_BUDGET_MS;

  while (at >= 0 && at < nodes.length && told.size < limit && performance.now() < endsAt) {
    const node = nodes[at]?.node;
    if (!node) break;
    const page = await scanPage(node, root + prefix, scan, count);
    const found = [...new Set(page.keys)]
      .map((key) => key.slice(root.length))
      .filter((key) => !told.has(key));
    const room = limit - told.size;
    // SCAN's cursor holds no state in Redis: the same step again, smaller.
    if (found.length - room > MAX_CARRIED_KEYS && count > 1) {
      count = Math.max(1, Math.floor(count / 4));
      continue;
    }
    for (const key of found.slice(0, room)) told.add(key);
    left = found.slice(room);
    scan = page.cursor;
    if (scan === '0') at += 1;
    count = nextCount(count, found.length, limit - told.size);
  }

  const name = nodes[at]?.name;
  const isDone = name === undefined && left.length === 0;
  const place = { node: name ?? '~', scan: name === undefined ? '0' : scan, carried: left };
  return { keys: [...told].sort(), next: isDone ? undefined : writeCursor(place) };
}

/** As many slots as should hold the keys still wanted, judged by how many the last step found. */
function nextCount(count: number, found: number, wanted: number): number {
  const guess = found === 0 ? count * 4 : Math.ceil((wanted * count) / found);
  return Math.min(Math.max(guess, 1), MAX_SCAN_COUNT);
}

function writeCursor({ node, scan, carried }: Place): string {
  return Buffer.from(JSON.stringify([node, scan, carried])).toString('base64url');
}

function readCursor(cursor: string): Place {
  const text = Buffer.from(cursor, 'base64url').toString();
  const read = placeShape.safeParse(parseOrNothing(text));
  if (!read.success) throw refuse('cursor_invalid', 'This cursor is not one that a list answered.');
  const [node, scan, carried] = read.data;
  return { node, scan, carried };
}

function parseOrNothing(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // Not a cursor of ours; the caller is told by the shape.
    return undefined;
  }
}
