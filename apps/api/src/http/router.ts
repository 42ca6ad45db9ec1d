/** This file owns finding a route by method and path. */
import { RegExpRouter } from 'hono/router/reg-exp-router';

/** Parameters of a path, undecoded. */
export type RawParams = Readonly<Record<string, string>>;

export interface Match<T> {
  found: T;
  params: RawParams;
}

const NONE: RawParams = {};

/**
 * The patterns of one door: fixed paths before those with parameters, and those in one regular expression. Two patterns
 * with parameters that match the same path belong in doors of their own: here, `add` throws for the second.
 */
export class Router<T> {
  readonly #fixed = new Map<string, Match<T>>();
  readonly #patterns = new RegExpRouter<T>();

  /** `template` as OpenAPI has it. `{key}` takes the rest of the path; a service's root ends with a slash or without. */
  add(method: string, template: string, what: T): void {
    const verb = method.toUpperCase();
    if (!template.includes('{')) {
      this.#fixed.set(`${verb} ${template}`, { found: what, params: NONE });
      return;
    }
    // A key may hold any character, line breaks included: the handler says what is wrong with it.
    const path = template.replace(/\{key\}$/, ':key{[^]+}').replace(/\{(\w+)\}/g, ':$1');
    this.#patterns.add(verb, path, what);
    if (path.endsWith('/:service')) this.#patterns.add(verb, `${path}/`, what);
  }

  /** HEAD finds what GET does (RFC 9110 §9.3.2). */
  find(method: string, path: string): Match<T> | undefined {
    const verb = method === 'HEAD' ? 'GET' : method;
    const fixed = this.#fixed.get(`${verb} ${path}`);
    if (fixed) return fixed;
    const [candidates, stash] = this.#patterns.match(verb, path);
    const first = candidates[0];
    if (first === undefined) return undefined;
    const [found, places] = first as [T, Readonly<Record<string, number>>];
    const params: Record<string, string> = {};
    for (const name in places) params[name] = stash?.[places[name] as number] as string;
    return { found, params };
  }
}
