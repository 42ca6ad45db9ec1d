/** This file owns what samples in all languages have in common: the parts of a request, with `$NAME` where a variable is. */
import { type AnyExample, type Sample, variablesOf } from '../example.ts';
import type { RouteDeclaration } from '../route.ts';

export const URL_VARIABLE = 'SLUICE_URL';
export const KEY_VARIABLE = 'SLUICE_API_KEY';
export const KEY_HEADER = 'X-DreamFactory-API-Key';

export interface SampleRequest {
  method: string;
  /** Path and query, encoded, `$NAME`s as they are. */
  target: string;
  /** Beside the key's. */
  headers: Readonly<Record<string, string>>;
  /** Absent when there is none. */
  body?: unknown;
  variables: readonly string[];
  /** What it answers with, by media type. */
  answers: 'json' | 'text' | 'stream';
  needsKey: boolean;
}

export function requestOf({ declaration, example }: Sample): SampleRequest {
  const { params = {}, query = {}, headers = {}, body } = example;
  return {
    method: declaration.method.toUpperCase(),
    target: pathOf(declaration, params) + queryOf(query),
    headers: { ...headers, ...(body !== undefined && { 'Content-Type': 'application/json' }) },
    ...(body !== undefined && { body }),
    variables: variablesOf({ params, query, headers, body }),
    answers: answersOf(declaration),
    needsKey: declaration.access !== 'public',
  };
}

function answersOf({ replies }: RouteDeclaration): SampleRequest['answers'] {
  const types = Object.values(replies).map(({ contentType }) => contentType);
  if (types.includes('text/event-stream')) return 'stream';
  return types.includes('text/plain') ? 'text' : 'json';
}

function pathOf({ id, path }: RouteDeclaration, params: NonNullable<AnyExample['params']>): string {
  return path.replace(/\{(\w+)\}/g, (_, name: string) => {
    if (params[name] === undefined)
      throw new TypeError(`the example of ${id} lacks the path parameter '${name}'`);
    return encode(String(params[name]));
  });
}

function queryOf(query: NonNullable<AnyExample['query']>): string {
  const pairs = Object.entries(query).map(([name, value]) => `${name}=${encode(String(value))}`);
  return pairs.length === 0 ? '' : `?${pairs.join('&')}`;
}

/** Only what an address may not hold (RFC 3986 §3.3), so that it can be read. */
function encode(text: string): string {
  return encodeURIComponent(text).replace(/%(?:3A|40|2F|2C|24)/g, decodeURIComponent);
}
