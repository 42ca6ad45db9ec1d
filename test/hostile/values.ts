/** This file owns values that a schema of our document allows, chosen by chance and weighted towards what is real. */
import fc from 'fast-check';
import type { ApiDocument, Schema } from './document.ts';
import type { Random } from './random.ts';

/** Values for a field of this name that mean something; empty when only the schema knows. */
export type Hints = (name: string) => readonly unknown[];

const MAX_DEPTH = 6;
const WORDS = ['a', 'mail', 'reports', 'user:1', 'Grüße', 'x/y', 'a b', '0', '日本', 'z'.repeat(40)];
const OPTIONAL_MEMBER = 0.3;
/** Where no bound is stated. */
const WIDE = 100_000;

export class Values {
  readonly #document: ApiDocument;
  readonly #random: Random;
  readonly #hints: Hints;
  readonly #matching = new Map<string, string[]>();

  constructor(options: { document: ApiDocument; random: Random; hints: Hints }) {
    this.#document = options.document;
    this.#random = options.random;
    this.#hints = options.hints;
  }

  /** A value of `schema` for a field called `name`. */
  of(schema: Schema, name = '', depth = 0): unknown {
    const random = this.#random;
    const hints = this.#hints(name);
    const resolved = this.#document.resolve(schema);
    if (hints.length > 0 && (random.chance(0.9) || isSettled(name, resolved))) {
      const fitting = hints.filter((hint) => this.#document.fault(resolved, hint) === undefined);
      if (fitting.length > 0) return random.pick(fitting);
    }
    if (resolved.enum) return random.pick(resolved.enum);
    if (resolved.anyOf) return this.of(random.pick(resolved.anyOf), name, depth);
    const { type } = resolved;
    switch (Array.isArray(type) ? random.pick(type) : type) {
      case 'object':
        return this.#object(resolved, depth);
      case 'array':
        return this.#list(resolved, name, depth);
      case 'string':
        return this.#text(resolved);
      case 'integer':
        return Math.trunc(this.#number(resolved));
      case 'number':
        return this.#number(resolved);
      case 'boolean':
        return random.chance(0.5);
      case 'null':
        return null;
      default:
        return this.anything(depth);
    }
  }

  /** Any JSON. */
  anything(depth = 0): unknown {
    const random = this.#random;
    const leaf = () =>
      random.pick<unknown>([null, true, false, 0, -1, 1.5, 1e300, 9_007_199_254_740_992, '', ...WORDS]);
    if (depth > 2 || random.chance(0.5)) return leaf();
    if (random.chance(0.5)) return [leaf(), this.anything(depth + 1)];
    return { [random.pick(WORDS)]: leaf(), value: this.anything(depth + 1), __proto: leaf() };
  }

  #object(schema: Schema, depth: number): Record<string, unknown> {
    const value: Record<string, unknown> = {};
    const { properties = {}, required = [] } = schema;
    for (const [name, member] of Object.entries(properties)) {
      if (member.not) continue;
      if (depth > MAX_DEPTH && !required.includes(name)) continue;
      if (!required.includes(name) && !this.#random.chance(OPTIONAL_MEMBER)) continue;
      value[name] = this.of(member, name, depth + 1);
    }
    return value;
  }

  #list({ items = {}, minItems = 0, maxItems = 3 }: Schema, name: string, depth: number): unknown[] {
    const most = Math.max(minItems, Math.min(maxItems, depth > MAX_DEPTH ? 0 : 3));
    const length = this.#random.integer(Math.max(minItems, Math.min(1, most)), most);
    return Array.from({ length }, () => this.of(items, `${name}[]`, depth + 1));
  }

  #number({ type, minimum, maximum, exclusiveMinimum }: Schema): number {
    const random = this.#random;
    const min = minimum ?? (exclusiveMinimum === undefined ? 0 : exclusiveMinimum + 1);
    const max = maximum ?? min + WIDE;
    if (random.chance(0.15)) return random.pick([min, max]);
    if (type === 'number') return min + random.next() * (max - min);
    // Small ones more often: periods and bounds that come to their end within the run.
    return random.chance(0.6) ? random.integer(min, Math.min(max, min + 20)) : random.integer(min, max);
  }

  #text({ pattern, format, minLength = 0, maxLength = WIDE }: Schema): string {
    if (format === 'date-time')
      return new Date(Date.now() + this.#random.integer(-5, 100) * 1_000).toISOString();
    const wanted = pattern === undefined ? undefined : new RegExp(pattern, 'u');
    const words = WORDS.filter(
      (word) => word.length >= minLength && word.length <= maxLength && (wanted?.test(word) ?? true),
    );
    if (words.length > 0 && this.#random.chance(0.9)) return this.#random.pick(words);
    if (words.length > 0 && isBeyondUs(pattern)) return this.#random.pick(words);
    return this.#random.pick(this.#matches(pattern ?? '^.{1,5}$', maxLength));
  }

  #matches(pattern: string, maxLength: number): string[] {
    let found = this.#matching.get(pattern);
    if (!found) {
      const texts = fc.stringMatching(new RegExp(pattern, 'u')).filter((text) => text.length <= maxLength);
      found = fc.sample(texts, { numRuns: 10, seed: this.#random.integer(0, 1_000_000) });
      this.#matching.set(pattern, found);
    }
    return found;
  }
}

/** Long waits would be most of a run; of other patterns no other text can be made. */
function isSettled(name: string, { pattern }: Schema): boolean {
  return name.startsWith('wait') || isBeyondUs(pattern);
}

/** Looking ahead and classes of Unicode are more than fast-check can make texts of. */
function isBeyondUs(pattern: string | undefined): boolean {
  return /\(\?|\\p/.test(pattern ?? '');
}
