/** This file owns the decision whether scopes allow a thing, compiled once a key and asked on every request. */
import { type Area, parseScope, SCOPE_VERBS, type Verb } from './schemas.ts';

interface Rule {
  isEverything: boolean;
  /** Whole resources. */
  exact: Set<string>;
  /** Beginnings of resources. */
  prefixes: string[];
}

/**
 * What one caller may do. Deny by default: a scope that cannot be read throws `TypeError`, and what no scope names is
 * refused.
 */
export class Grants {
  readonly scopes: readonly string[];
  readonly #isAll: boolean;
  readonly #rules = new Map<Area, Map<Verb, Rule>>();

  constructor(scopes: readonly string[]) {
    this.scopes = scopes;
    let isAll = false;
    for (const text of scopes) {
      const scope = parseScope(text);
      if ('fault' in scope) throw new TypeError(scope.fault);
      if (scope.area === '*') isAll = true;
      else this.#add(scope.area, scope.verb, scope.glob);
    }
    this.#isAll = isAll;
  }

  /** May do it to this resource; without one: to every resource of the area. */
  allows<A extends Area>(area: A, verb: Verb<A>, resource?: string): boolean {
    if (this.#isAll) return true;
    const rule = this.#rules.get(area)?.get(verb);
    if (!rule) return false;
    if (rule.isEverything) return true;
    if (resource === undefined) return false;
    return rule.exact.has(resource) || rule.prefixes.some((prefix) => resource.startsWith(prefix));
  }

  /** May do it to some resource: lets a list or a batch in whose entries are then asked about one by one. */
  allowsSome<A extends Area>(area: A, verb: Verb<A>): boolean {
    return this.#isAll || this.#rules.get(area)?.get(verb) !== undefined;
  }

  /** May do it to every resource that begins with `prefix`, as a flush of `{service}/{prefix}` needs. */
  allowsPrefix<A extends Area>(area: A, verb: Verb<A>, prefix: string): boolean {
    if (this.#isAll) return true;
    const rule = this.#rules.get(area)?.get(verb);
    if (!rule) return false;
    return rule.isEverything || rule.prefixes.some((granted) => prefix.startsWith(granted));
  }

  /** Every right of this scope is among these: whoever holds them may give it to others. False for a scope that cannot be read. */
  covers(scope: string): boolean {
    if (this.#isAll) return true;
    const parsed = parseScope(scope);
    if ('fault' in parsed || parsed.area === '*') return false;
    const { area, verb, glob } = parsed;
    const verbs: readonly Verb[] = verb === '*' ? SCOPE_VERBS[area] : [verb];
    return verbs.every((each) => {
      if (glob === undefined || glob === '*') return this.allows(area, each as never);
      return glob.endsWith('*')
        ? this.allowsPrefix(area, each as never, glob.slice(0, -1))
        : this.allows(area, each as never, glob);
    });
  }

  #add(area: Area, verb: Verb | '*', glob: string | undefined): void {
    for (const each of verb === '*' ? SCOPE_VERBS[area] : [verb]) {
      const rule = this.#rule(area, each);
      if (glob === undefined || glob === '*') rule.isEverything = true;
      else if (glob.endsWith('*')) rule.prefixes.push(glob.slice(0, -1));
      else rule.exact.add(glob);
    }
  }

  #rule(area: Area, verb: Verb): Rule {
    const verbs = this.#rules.get(area) ?? new Map<Verb, Rule>();
    const rule = verbs.get(verb) ?? { isEverything: false, exact: new Set<string>(), prefixes: [] };
    this.#rules.set(area, verbs.set(verb, rule));
    return rule;
  }
}
