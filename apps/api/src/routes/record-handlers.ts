/** This file owns the six answers that records of every kind have: listed, made, looked at, changed, replaced, removed. */
import { mergePatch } from '@sluice/runtime';
import type { Book, RecordKind, Registry, StoredRecord } from '@sluice/system';
import type { Call } from '../http/call.ts';
import { json, type Reply } from '../http/reply.ts';
import {
  authorshipOf,
  createdOf,
  etag,
  historyOf,
  itemsOf,
  requireLoaded,
  versionWanted,
  withoutHistory,
} from './system-records.ts';

export interface RecordHandlersOptions<Body> {
  registry: Registry;
  kind: RecordKind;
  book: Book<Body>;
  /** What the configuration holds, as it is told: it stands above records of the same names. */
  configured?: ReadonlyMap<string, object>;
  /** What holds until a record of the same name is made; changing one makes that record, removing that brings it back. */
  builtIn?: ReadonlyMap<string, Body>;
  /** A record as it is told, without its history. */
  told(body: Body, record: StoredRecord): object;
  /** Throws when there is no room for so many more. */
  requireRoom?(more: number): void;
  /** The record with what the caller has named; default by JSON Merge Patch (RFC 7396). */
  patch?(body: Body, given: unknown): unknown;
  /** What stands in its place; default what the caller gave. */
  replace?(body: Body, given: unknown): unknown;
}

/** What of a call is needed, whatever its route. */
type Asked = Pick<Call, 'header' | 'principal' | 'requestId'> & { params: { name: string }; body: unknown };

export interface RecordHandlers {
  list(): Reply;
  create(call: Omit<Asked, 'params'>): Promise<Reply>;
  get(call: Pick<Asked, 'params'>): Promise<Reply>;
  patch(call: Asked): Promise<Reply>;
  replace(call: Asked): Promise<Reply>;
  remove(call: Omit<Asked, 'body'>): Promise<Reply>;
}

export function recordHandlers<Body>(options: RecordHandlersOptions<Body>): RecordHandlers {
  const { registry, kind, book, configured = new Map(), builtIn = new Map() } = options;
  const view = (record: StoredRecord) => ({
    ...options.told(record.body as Body, record),
    ...historyOf(record),
  });
  const reply = (record: StoredRecord) => json(200, view(record), etag(record.version));
  const configuredView = (told: object) => ({ ...told, ...historyOf('configuration') });
  const builtInView = (told: object) => ({ ...told, ...historyOf('built_in') });
  const isUnmade = (name: string) =>
    builtIn.has(name) && !registry.list(kind).some((record) => record.name === name);

  const update = async (call: Asked, edit: (body: Body) => unknown): Promise<Reply> => {
    const { name } = call.params;
    const version = versionWanted(call);
    if (isUnmade(name) && version === undefined) {
      const outcome = await book.create([edit(builtIn.get(name) as Body)], authorshipOf(call));
      return reply(createdOf(outcome, call.requestId)[0] as StoredRecord);
    }
    return reply(await book.update(name, edit, authorshipOf(call), { version }));
  };

  return {
    list: () => {
      requireLoaded(registry);
      const own = registry.list(kind).filter(({ name }) => !configured.has(name));
      const made = new Set(own.map(({ name }) => name));
      return json(200, {
        resource: [
          ...[...configured.values()].map(configuredView),
          ...[...builtIn].flatMap(([name, body]) => (made.has(name) ? [] : [builtInView(body)])),
          ...own.map(view),
        ],
      });
    },
    create: async (call) => {
      const items = itemsOf(call.body);
      options.requireRoom?.(items.length);
      const outcome = await book.create(items.map(withoutHistory), authorshipOf(call));
      return json(201, { resource: createdOf(outcome, call.requestId).map(view) });
    },
    get: async ({ params: { name } }) => {
      const told = configured.get(name);
      if (told) return json(200, configuredView(told));
      if (isUnmade(name)) return json(200, builtInView(builtIn.get(name) as object));
      return reply(await book.get(name));
    },
    patch: (call) => {
      const given = withoutHistory(call.body);
      const merged = (body: Body) => JSON.parse(mergePatch(JSON.stringify(body), JSON.stringify(given)));
      return update(call, (body) => options.patch?.(body, given) ?? merged(body));
    },
    replace: (call) => {
      const given = { name: call.params.name, ...(withoutHistory(call.body) as object) };
      return update(call, (body) => options.replace?.(body, given) ?? given);
    },
    remove: async (call) => {
      const { name } = call.params;
      await book.remove(name, authorshipOf(call), { version: versionWanted(call) });
      return json(200, { name, success: true });
    },
  };
}
