/** This file owns storing: what a body asks for to the cache, and what became of each item to the answer. */
import type { SetItem } from '@sluice/cache';
import { type ErrorCode, type routes, STATUS } from '@sluice/contract';
import { DomainError, JsonText } from '@sluice/runtime';
import type { Call } from '../http/call.ts';
import { asDomainError } from '../http/failure.ts';
import { json, type Reply } from '../http/reply.ts';
import { queryTtl, type ReadItem, readItem, readStoreBody, readValueBody } from './cache-body.ts';
import type { CallerCache } from './cache-call.ts';
import { conditionsOf } from './cache-conditions.ts';

type StoreCall = Pick<Call<(typeof routes)['storeValues']>, 'body' | 'bodyText' | 'query'>;
type ValueCall = Pick<Call<(typeof routes)['createValue']>, 'body' | 'bodyText' | 'query' | 'header'>;

/** Stores what a body at the service's root says. `isMapNew`: a map of which a key exists stores nothing. */
export async function store(
  call: StoreCall,
  caller: CallerCache,
  options: { maxBatchItems: number; status: number; isMapNew: boolean },
): Promise<Reply> {
  const { maxBatchItems, status, isMapNew } = options;
  const body = readStoreBody(call.body, call.bodyText ?? '');
  const ttl = queryTtl(call.query);
  const defaults = { ttl, isNew: call.query.if_not_exists };
  if (body.kind === 'single') {
    const { item, error, key } = readItem(body.item, defaults);
    caller.require('write', key);
    if (!item) throw error;
    await caller.cache.set(key, item.value, item);
    return json(status, { resource: [{ key, success: true }] });
  }
  requireFew(body.items.length, maxBatchItems);
  if (body.kind === 'items') {
    const read = body.items.map((item) => readItem(item, defaults));
    return json(status, { resource: await storeAll(caller, read, call.query.continue ?? false) });
  }
  const items = body.items.map(({ name, text }) => ({ key: name, value: new JsonText(text), ttl }));
  for (const { key } of items) caller.require('write', key);
  if (isMapNew) await caller.cache.addAll(items);
  else await storeAll(caller, items.map(asRead), false);
  return json(status, { success: true });
}

/** What a body at a key's own path asks to store. */
export function valueItem(call: ValueCall, key: string): SetItem {
  const isText = /^\s*text\//i.test(call.header('content-type') ?? '');
  const mode = call.query.value_mode ?? modeOf(call.header('x-cache-value'));
  const item = readValueBody(key, call, { isText, mode, ttl: queryTtl(call.query) });
  const { when, ifMatch } = conditionsOf(call);
  return {
    ...item,
    ttl: call.query.keep_ttl ? 'keep' : item.ttl,
    when: item.when ?? when,
    ifMatch: item.ifMatch ?? ifMatch,
  };
}

export function requireFew(count: number, maxBatchItems: number): void {
  if (count <= maxBatchItems) return;
  const message = `A batch has at most ${maxBatchItems} items; this one has ${count}.`;
  throw new DomainError<ErrorCode>('body_too_large', message, { details: { max_items: maxBatchItems } });
}

interface StoredItem {
  key: string;
  success: boolean;
  error?: { code: number; reason: string; message: string };
}

/** Throws `batch_failed` with what became of each item unless all were stored. `isPartial` stores the good ones all the same. */
async function storeAll(caller: CallerCache, read: ReadItem[], isPartial: boolean): Promise<StoredItem[]> {
  for (const { key } of read) caller.require('write', key);
  const items = read.flatMap(({ item }) => item ?? []);
  const isWhole = items.length === read.length;
  const results =
    isWhole || isPartial ? await caller.cache.setMany(items, { isPartial }) : caller.cache.verify(items);
  const stored = results.values();
  const all = read.map(({ key, error }) => {
    const result = error ? undefined : stored.next().value;
    return { key, isStored: result?.isStored ?? false, error: error ?? result?.error };
  });
  if (all.every(({ isStored }) => isStored)) return all.map(({ key }) => ({ key, success: true }));
  const tooLarge = all.find(({ error }) => error instanceof DomainError && error.code === 'value_too_large');
  if (tooLarge && !isPartial) throw tooLarge.error;
  throw new DomainError<ErrorCode>(
    'batch_failed',
    'Batch Error: Not all parts of the request were successful.',
    {
      details: {
        error: all.flatMap(({ error }, at) => (error ? [at] : [])),
        resource: all.map(({ key, isStored, error }) => ({
          key,
          success: isStored,
          ...(error && { error: told(error) }),
        })),
      },
    },
  );
}

function told(error: Error): NonNullable<StoredItem['error']> {
  const known = asDomainError(error);
  const reason = known && known.code in STATUS ? (known.code as ErrorCode) : 'internal';
  return { code: STATUS[reason], reason, message: known?.message ?? 'Something went wrong on our side.' };
}

function asRead(item: SetItem): ReadItem {
  return { key: item.key, item, error: undefined };
}

function modeOf(header: string | undefined): 'raw' | 'item' | undefined {
  const mode = header?.trim().toLowerCase();
  return mode === 'raw' || mode === 'item' ? mode : undefined;
}
