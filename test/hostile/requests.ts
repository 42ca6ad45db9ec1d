/** This file owns requests made from our document: good ones, and good ones with one thing broken. */
import type { ApiDocument, Operation } from './document.ts';
import type { Sent } from './http-client.ts';
import { HALF_SURROGATES, OTHER_TYPES, POISON_IDS } from './poison.ts';
import type { Random } from './random.ts';
import type { Values } from './values.ts';
import type { Errand, World } from './world.ts';

export interface FuzzRequest {
  operation: Operation;
  sent: Sent;
  /** What was broken; `undefined`: nothing. */
  fault: Fault | undefined;
  /** The document forbids this body: an answer of 2xx contradicts it. */
  isForbidden: boolean;
  /** Every field by its name, of path, query and body. */
  fields: Readonly<Record<string, unknown>>;
}

export const FAULTS = [
  'no member that is required',
  'another type',
  'a member nobody knows',
  'out of bounds',
  'half a surrogate',
  'not JSON',
  'another media type',
  'no body',
  'a wrong query',
  'a poison id',
  'another method',
] as const;
export type Fault = (typeof FAULTS)[number];

type Json = Record<string, unknown>;

const NOT_JSON = ['{', '{"a":', '[1,]', "{'a':1}", 'NaN', '\ufeff{}', '{"a":1}}', '"\u0001"', 'undefined'];
const METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'];

export class Requests {
  readonly #document: ApiDocument;
  readonly #random: Random;
  readonly #values: Values;
  readonly #world: World;
  readonly #key: string;

  constructor(options: { document: ApiDocument; random: Random; values: Values; world: World; key: string }) {
    this.#document = options.document;
    this.#random = options.random;
    this.#values = options.values;
    this.#world = options.world;
    this.#key = options.key;
  }

  /** A request to `operation`; with `fault` broken in that way, or in another when it has nothing of the kind. */
  make(
    operation: Operation,
    { fault, errand }: { fault: Fault | undefined; errand: Errand | undefined },
  ): FuzzRequest {
    const random = this.#random;
    const isAboutSomething = fault === undefined || random.chance(0.8);
    const thing = isAboutSomething ? this.#world.thingFor(operation, errand) : undefined;
    const known = thing?.fields ?? {};
    const path: Json = {};
    const query: Json = {};
    for (const { name, in: place, required, schema } of operation.parameters) {
      // Headers come with the thing a request is about.
      if (place === 'header') continue;
      if (place === 'query' && !required && !random.chance(0.2)) continue;
      const value = known[name] ?? this.#values.of(schema, name);
      if (place === 'path') path[name] = value;
      else query[name] = value;
    }
    const headers: Record<string, string> = { 'X-DreamFactory-API-Key': this.#key, ...thing?.headers };
    const body = this.#body(operation, known, errand !== undefined);
    const draft: Draft = { method: operation.method, path, query, headers, body: undefined };
    if (body !== undefined) {
      headers['Content-Type'] = 'application/json';
      draft.body = JSON.stringify(confined(operation, body));
    }
    const broken = fault === undefined ? undefined : this.#break(draft, operation, body, fault);
    return {
      operation,
      fault: broken?.fault,
      isForbidden: broken?.isForbidden ?? false,
      sent: {
        method: draft.method,
        target: targetOf(operation.path, draft),
        headers: draft.headers,
        body: draft.body,
      },
      fields: { ...(isObject(body) ? body : {}), ...query, ...path },
    };
  }

  #body({ body, ...operation }: Operation, known: Readonly<Json>, isErrand: boolean): unknown {
    if (!body || (!body.isRequired && this.#random.chance(0.5))) return undefined;
    const { id } = operation;
    const isWhole = isErrand || this.#random.chance(0.6);
    const whole = isWhole ? this.#world.bodyFor({ ...operation, body }) : undefined;
    const value = whole ?? this.#values.of(body.schema);
    if (id === 'completeLeases') {
      return known.lease === undefined
        ? value
        : { resource: [{ lease: known.lease, result: { done: true } }] };
    }
    const members = this.#document.resolve(body.schema).properties ?? {};
    if (!isObject(value)) return value;
    if (isErrand && Array.isArray(value.resource)) return { resource: value.resource.map(named(known)) };
    const own = Object.entries(known).filter(([name]) => name in members && (!isErrand || name in value));
    return { ...value, ...Object.fromEntries(own) };
  }

  #break(
    draft: Draft,
    operation: Operation,
    body: unknown,
    fault: Fault,
  ): { fault: Fault; isForbidden: boolean } {
    const random = this.#random;
    const { schema } = operation.body ?? {};
    // With `merge` a body is a JSON Merge Patch of the value itself, in words of the document.
    const isSchemas = schema !== undefined && !('merge' in draft.query);
    const write = (broken: unknown) => {
      const changed = confined(operation, broken);
      draft.body = JSON.stringify(changed);
      return {
        fault,
        isForbidden: isSchemas && this.#document.fault(schema, changed) !== undefined,
      };
    };
    // What is `undefined` does not travel, and what the path says is not read in the body.
    const isRead = (name: string) => !(name in draft.path);
    const members = isObject(body)
      ? Object.keys(body).filter((name) => body[name] !== undefined && isRead(name))
      : [];
    switch (fault) {
      case 'no member that is required': {
        const required = (schema && this.#document.resolve(schema).required?.filter(isRead)) ?? [];
        if (!isObject(body) || required.length === 0) break;
        const left = { ...body };
        delete left[random.pick(required)];
        return write(left);
      }
      case 'another type':
        if (!isObject(body)) break;
        if (members.length === 0 || random.chance(0.2)) return write(random.pick(OTHER_TYPES));
        return write({ ...body, [random.pick(members)]: random.pick(OTHER_TYPES) });
      case 'a member nobody knows':
        if (!isObject(body)) break;
        return write({
          ...body,
          [random.pick(['__proto', 'constructor', 'unknown', ''])]: random.pick(OTHER_TYPES),
        });
      case 'out of bounds':
        if (members.length === 0) break;
        return write({
          ...(body as Json),
          [random.pick(members)]: random.pick<unknown>([
            -1,
            1e15,
            1.5,
            '',
            'x'.repeat(70_000),
            Array(1_001).fill(0),
          ]),
        });
      case 'half a surrogate':
        if (members.length === 0) break;
        return write({ ...(body as Json), [random.pick(members)]: random.pick(HALF_SURROGATES) });
      case 'not JSON':
        if (draft.body === undefined) break;
        draft.body = random.pick(operation.body?.isRequired ? ['', ...NOT_JSON] : NOT_JSON);
        return { fault, isForbidden: true };
      case 'another media type':
        if (draft.body === undefined) break;
        draft.headers['Content-Type'] = random.pick(['application/xml', 'multipart/form-data', 'json']);
        return { fault, isForbidden: true };
      case 'no body':
        if (!operation.body?.isRequired) break;
        draft.body = undefined;
        return { fault, isForbidden: true };
      case 'a wrong query': {
        const names = operation.parameters.filter((each) => each.in === 'query').map(({ name }) => name);
        draft.query[random.pick([...names, 'unknown'])] = random.pick([
          'maybe',
          '-1',
          '1e9',
          '\0',
          '999999999',
        ]);
        return { fault, isForbidden: false };
      }
      case 'another method': {
        draft.method = random.pick(METHODS.filter((method) => method !== operation.method));
        return { fault, isForbidden: false };
      }
      case 'a poison id':
        break;
    }
    const names = Object.keys(draft.path);
    if (names.length > 0) draft.path[random.pick(names)] = random.pick(POISON_IDS);
    else draft.query.unknown = random.pick(POISON_IDS);
    return { fault: 'a poison id', isForbidden: false };
  }
}

/** Those members of an item that it has, as they are known. */
const named = (known: Readonly<Json>) => (item: unknown) =>
  isObject(item)
    ? { ...item, ...Object.fromEntries(Object.entries(known).filter(([name]) => name in item)) }
    : item;

/** A body whose policies are for requests that nobody makes: one for everybody's would end the run. */
function confined(operation: Operation, body: unknown): unknown {
  if (!operation.path.startsWith('/api/v2/system/limit')) return body;
  if (Array.isArray(body)) return body.map((each) => confined(operation, each));
  if (!isObject(body)) return body;
  if (Array.isArray(body.resource)) return { ...body, resource: confined(operation, body.resource) };
  // One that counts nothing of requests is for those who ask by name.
  return 'by' in body ? { ...body, match: { route: ['GET /nowhere'] } } : body;
}

interface Draft {
  method: string;
  path: Json;
  query: Json;
  headers: Record<string, string>;
  body: string | undefined;
}

function targetOf(template: string, { path, query }: Draft): string {
  const filled = template.replace(/\{(\w+)\}/g, (_, name: string) => {
    const encoded = encodeURIComponent(String(path[name]));
    return name === 'key' ? encoded.replaceAll('%2F', '/') : encoded;
  });
  const pairs = Object.entries(query).flatMap(([name, value]) =>
    (Array.isArray(value) ? value : [value]).map((each) => [name, String(each)] as [string, string]),
  );
  return pairs.length === 0 ? filled : `${filled}?${new URLSearchParams(pairs)}`;
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
