/** This file owns finding a route by method and path. */
import { RegExpRouter } from 'hono/router/reg-exp-router';
import { SmartRouter } from 'hono/router/smart-router';
import { TrieRouter } from 'hono/router/trie-router';

/** Parameters of a path, undecoded. */
export type RawParams = Readonly<Record<string, string>>;

export interface Match<T> {
  found: T;
  params: RawParams;
}

const NONE: RawParams = {};

/** Patterns of one door. Two that match the same path make all of them slow: keep such patterns in doors of their own. */
export class Router<T> {
  readonly #router = new SmartRouter<T>({ routers: [new RegExpRouter(), new TrieRouter()] });

  /** `template` as OpenAPI has it. `{key}` takes the rest of the path; a service's root ends with a slash or without. */
  add(method: string, template: string, what: T): void {
    // A key may hold any character, line breaks included: the handler says what is wrong with it.
    const path = template.replace(/\{key\}$/, ':key{[^]+}').replace(/\{(\w+)\}/g, ':$1');
    this.#router.add(method.toUpperCase(), path, what);
    if (path.endsWith('/:service')) this.#router.add(method.toUpperCase(), `${path}/`, what);
  }

  /** HEAD finds what GET does (RFC 9110 §9.3.2). */
  find(method: string, path: string): Match<T> | undefined {
    const [candidates, stash] = this.#router.match(method === 'HEAD' ? 'GET' : method, path);
    const first = candidates[0];
    if (first === undefined) return undefined;
    const [found, names] = first;
    if (stash === undefined) return { found, params: names as RawParams };
    return { found, params: paramsAt(names as Record<string, number>, stash) };
  }
}

function paramsAt(indexes: Readonly<Record<string, number>>, stash: readonly string[]): RawParams {
  let params: Record<string, string> | undefined;
  for (const name in indexes) {
    params ??= {};
    params[name] = stash[indexes[name] as number] as string;
  }
  return params ?? NONE;
}
