/** This file owns what a body sent to a cache service says: the page's items, DreamFactory's map, or a bare value. */
import { readTtl, type SetItem, type Ttl } from '@sluice/cache';
import type { ErrorCode } from '@sluice/contract';
import { DomainError, JsonText, jsonMembers } from '@sluice/runtime';
import { conditionOf } from './cache-conditions.ts';

/** One item as read: what to store, or what is wrong with it. */
export interface ReadItem {
  key: string;
  item: SetItem | undefined;
  error: DomainError | undefined;
}

/**
 * What a body at a service's root is. First match wins:
 * a list, or an object with a list `resource` -> `items`; an object with `key` and `value` -> `single`; any other
 * object -> `map`, DreamFactory's own dialect.
 */
export type StoreBody =
  | { kind: 'items'; items: readonly unknown[] }
  | { kind: 'single'; item: unknown }
  | { kind: 'map'; items: readonly { name: string; text: string }[] };

/** How items that state no ttl expire: `?forever` before `?ttl`, `undefined` for the service's default. */
export function queryTtl(query: {
  ttl?: string | undefined;
  forever?: boolean | undefined;
}): Ttl | undefined {
  return query.forever ? 'forever' : readTtl(query.ttl);
}

/** `body` has `JsonText` in the place of each item's value; `text` is the body as it came. Throws `input_invalid`. */
export function readStoreBody(body: unknown, text: string): StoreBody {
  if (Array.isArray(body)) return { kind: 'items', items: notEmpty(body) };
  if (!isObject(body))
    throw invalid('The body is a list of items under `resource`, an item, or a map of keys to values.');
  if (Array.isArray(body.resource)) return { kind: 'items', items: notEmpty(body.resource) };
  if (typeof body.key === 'string' && Object.hasOwn(body, 'value')) return { kind: 'single', item: body };
  const names = Object.keys(body);
  if (names.length === 1 && names[0] === 'resource') throw invalid('`resource` is a list of items.');
  const last = new Map(jsonMembers(text).map((member) => [member.name, member.text]));
  return { kind: 'map', items: notEmpty([...last].map(([name, value]) => ({ name, text: value }))) };
}

const ITEM_MEMBERS = ['key', 'value', 'ttl', 'forever', 'nx', 'xx', 'keep_ttl', 'if_match', 'tags', 'grace'];

/** One element of `resource`; what is wrong with it is answered, not thrown. */
export function readItem(
  raw: unknown,
  defaults: { ttl: Ttl | undefined; isNew?: boolean | undefined },
): ReadItem {
  const key = isObject(raw) && typeof raw.key === 'string' ? raw.key : '';
  try {
    if (!isObject(raw)) throw invalid('An item is an object with `key` and `value`.');
    if (typeof raw.key !== 'string')
      throw new DomainError<ErrorCode>('key_invalid', 'An item has a `key`, a string.');
    return { key, item: itemOf(raw, raw.key, defaults), error: undefined };
  } catch (error) {
    if (!(error instanceof DomainError)) throw error;
    return { key, item: undefined, error };
  }
}

/**
 * What a body at a key's own path says. First match wins: `text/*` is a string · `mode` decides · `resource` with one item ·
 * an object with `value` whose other members are an item's · anything else is the value itself.
 */
export function readValueBody(
  key: string,
  call: { body: unknown; bodyText: string | undefined },
  options: { isText: boolean; mode: 'raw' | 'item' | undefined; ttl: Ttl | undefined },
): SetItem {
  const { body, bodyText = '' } = call;
  const defaults = { ttl: options.ttl };
  if (options.isText) return { key, value: bodyText, ...defaults };
  const item = options.mode === 'raw' ? undefined : itemIn(body, options.mode === 'item');
  if (!item) return { key, value: new JsonText(bodyText.trim()), ...defaults };
  if (item.key !== undefined && item.key !== key)
    throw new DomainError<ErrorCode>('key_invalid', "The item's `key` is not the path's.");
  return itemOf(item, key, defaults);
}

function itemIn(body: unknown, mustBe: boolean): Record<string, unknown> | undefined {
  if (
    isObject(body) &&
    Array.isArray(body.resource) &&
    body.resource.length === 1 &&
    isObject(body.resource[0])
  ) {
    return body.resource[0];
  }
  const isItem =
    isObject(body) &&
    Object.hasOwn(body, 'value') &&
    Object.keys(body).every((name) => ITEM_MEMBERS.includes(name));
  if (isItem) return body;
  if (mustBe)
    throw invalid('The body is not an item: an object with `value`, and `ttl` and the like beside it.');
  return undefined;
}

function itemOf(
  raw: Record<string, unknown>,
  key: string,
  defaults: { ttl: Ttl | undefined; isNew?: boolean | undefined },
): SetItem {
  for (const name of Object.keys(raw)) {
    if (!ITEM_MEMBERS.includes(name)) throw invalid(`An item has no member \`${name}\`.`);
  }
  if (!Object.hasOwn(raw, 'value'))
    throw new DomainError<ErrorCode>('value_invalid', 'An item has a `value`.');
  const condition = raw.if_match === undefined ? undefined : conditionOf(raw.if_match);
  const isNew = flag(raw, 'nx') || (defaults.isNew ?? false);
  const isPresent = flag(raw, 'xx') || condition?.when === 'present';
  if (isNew && (isPresent || condition)) throw invalid('An item cannot be both `nx` and `xx` or `if_match`.');
  return {
    key,
    value: raw.value,
    ttl: itemTtl(raw, defaults.ttl),
    when: isNew ? 'absent' : isPresent && !condition?.ifMatch ? 'present' : undefined,
    ifMatch: condition?.ifMatch,
    tags: tagsOf(raw.tags),
    graceSeconds: graceOf(raw.grace),
  };
}

function tagsOf(given: unknown): string[] | undefined {
  if (given === undefined) return undefined;
  if (Array.isArray(given) && given.every((tag) => typeof tag === 'string')) return given;
  throw new DomainError<ErrorCode>('tag_invalid', '`tags` of an item is a list of texts.');
}

function graceOf(given: unknown): number | undefined {
  const seconds = typeof given === 'string' && /^\d{1,9}$/.test(given) ? Number(given) : given;
  if (seconds === undefined || typeof seconds === 'number') return seconds;
  throw new DomainError<ErrorCode>('ttl_invalid', '`grace` of an item is a whole number of seconds.');
}

/** An item's own word first: also its `-1` goes before what the query says. */
function itemTtl(raw: Record<string, unknown>, fallback: Ttl | undefined): Ttl | 'keep' | undefined {
  if (flag(raw, 'keep_ttl')) return 'keep';
  if (raw.ttl !== undefined) return readTtl(raw.ttl);
  return flag(raw, 'forever') ? 'forever' : fallback;
}

function flag(raw: Record<string, unknown>, name: string): boolean {
  const value = raw[name];
  if (value === undefined || typeof value === 'boolean') return value ?? false;
  throw invalid(`\`${name}\` of an item is true or false.`);
}

function notEmpty<T>(list: T[]): T[] {
  if (list.length === 0) throw invalid('There is nothing to store in this body.');
  return list;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof JsonText);
}

function invalid(message: string): DomainError<ErrorCode> {
  return new DomainError('input_invalid', message);
}
