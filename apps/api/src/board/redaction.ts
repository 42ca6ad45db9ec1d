/**
 * This file owns what the board shows of a job's payload: secrets masked, the rest cut to a readable length.
 *
 * A value is hidden when a rule names it (`redaction-rules.ts`) or when it looks like a secret (`text-mask.ts`). What
 * was masked under a name is masked in every text of the same job, so that an error message that quotes a password does
 * not tell it. What no rule knows is shown: a secret in a sentence, under no name.
 */
import { CompiledRules, DEFAULT_RULES, type Place, type RedactionRules } from './redaction-rules.ts';
import { MASK, SHORTEST_KNOWN_SECRET } from './text-mask.ts';

/** Of each field, and of each log line. */
export const MAX_SHOWN_CHARACTERS = 2_048;
/** Members of one job that are searched for secrets; a job with more shows the shape of its payload and no value. */
export const MAX_SEARCHED_MEMBERS = 50_000;
/** Spellings (plain, in JSON, in a URL) of masked values that are looked for in texts; a job with more is treated alike. */
const MAX_KNOWN_SECRETS = 200;
export const HIDDEN = '[hidden: too large to be searched for secrets]';
/** What a number, a bracket or a member counts for. */
const SCALAR_CHARACTERS = 8;

type Fields = Readonly<Record<string, unknown>>;

export class Redaction {
  readonly #rules: CompiledRules;

  constructor(rules: RedactionRules = DEFAULT_RULES) {
    this.#rules = new CompiledRules(rules);
  }

  /** What may be shown of one job, or of one scheduler, whose structured fields are `fields`. */
  of(fields: Fields): Shown {
    return new Shown(this.#rules, fields, findSecrets(this.#rules, fields));
  }
}

/** One job's payload, fit to be shown. */
export class Shown {
  readonly #rules: CompiledRules;
  readonly #fields: Fields;
  readonly #secrets: readonly string[] | 'too many';

  constructor(rules: CompiledRules, fields: Fields, secrets: readonly string[] | 'too many') {
    this.#rules = rules;
    this.#fields = fields;
    this.#secrets = secrets;
  }

  /** A structured field: its shape with masks in it, cut at `MAX_SHOWN_CHARACTERS`. `undefined` when the job lacks it. */
  value(field: string): unknown {
    const value = this.#fields[field];
    if (value === undefined) return undefined;
    return this.#show(value, this.#rules.field(field), { left: MAX_SHOWN_CHARACTERS });
  }

  /** A text of the job. */
  text(field: string, text: string): string {
    if (text === '') return text;
    if (this.#rules.isSecretPlace(this.#rules.field(field))) return MASK;
    return this.#showText(text, MAX_SHOWN_CHARACTERS);
  }

  #show(value: unknown, places: readonly Place[], budget: { left: number }): unknown {
    if (this.#rules.isSecretPlace(places)) return MASK;
    budget.left -= SCALAR_CHARACTERS;
    if (Array.isArray(value)) return this.#showList(value, places, budget);
    if (typeof value === 'object' && value !== null) return this.#showObject(value, places, budget);
    if (typeof value !== 'string') {
      const text = this.#showText(String(value), MAX_SHOWN_CHARACTERS);
      return text === String(value) ? value : text;
    }
    const shown = this.#showText(value, Math.max(budget.left, 0));
    budget.left -= shown.length;
    return shown;
  }

  #showList(list: readonly unknown[], places: readonly Place[], budget: { left: number }): unknown[] {
    const shown: unknown[] = [];
    for (const [index, item] of list.entries()) {
      if (budget.left <= 0) return [...shown, `… [${list.length - index} more]`];
      shown.push(this.#show(item, this.#rules.member(places, String(index)), budget));
    }
    return shown;
  }

  #showObject(object: object, places: readonly Place[], budget: { left: number }): Record<string, unknown> {
    const members = Object.entries(object);
    const shown: [string, unknown][] = [];
    for (const [index, [name, member]] of members.entries()) {
      if (budget.left <= 0) {
        shown.push(['…', `[${members.length - index} more]`]);
        break;
      }
      const at = this.#rules.member(places, name);
      const known = this.#secrets === 'too many' ? [] : this.#secrets;
      const label = this.#rules.texts.show(name, known, Math.max(budget.left, SCALAR_CHARACTERS));
      budget.left -= label.length;
      shown.push([label, this.#rules.isSecretMember(name, at) ? MASK : this.#show(member, at, budget)]);
    }
    // Defines members, so that one named __proto__ stays a member.
    return Object.fromEntries(shown);
  }

  #showText(text: string, maxCharacters: number): string {
    if (this.#secrets === 'too many') return HIDDEN;
    return this.#rules.texts.show(text, this.#secrets, maxCharacters);
  }
}

/**
 * Values that are masked under a name, in each spelling that a text may quote them in, longest first since one may be
 * part of another. Walks with a stack of its own: what a producer has stored may be nested as deep as it likes.
 */
function findSecrets(rules: CompiledRules, fields: Fields): readonly string[] | 'too many' {
  const found = new Set<string>();
  const open = Object.entries(fields).map(([field, value]) => {
    const places = rules.field(field);
    return { value, places, isSecret: rules.isSecretPlace(places) };
  });
  let searched = 0;
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const { value, places, isSecret } = next;
    searched += 1;
    if (searched + open.length > MAX_SEARCHED_MEMBERS || found.size > MAX_KNOWN_SECRETS) return 'too many';
    if (typeof value === 'object' && value !== null) {
      const isList = Array.isArray(value);
      for (const [name, member] of Object.entries(value)) {
        const at = rules.member(places, name);
        const isNamed = isList ? rules.isSecretPlace(at) : rules.isSecretMember(name, at);
        open.push({ value: member, places: at, isSecret: isSecret || isNamed });
      }
    } else if (isSecret) {
      for (const spelling of spellings(value)) found.add(spelling);
    }
  }
  return [...found].sort((a, b) => b.length - a.length);
}

function spellings(value: unknown): string[] {
  if (typeof value !== 'string' && typeof value !== 'number') return [];
  const text = String(value);
  if (text.length < SHORTEST_KNOWN_SECRET) return [];
  const inJson = JSON.stringify(text).slice(1, -1);
  // A lone surrogate has no place in a URL.
  return /\p{Surrogate}/u.test(text) ? [text, inJson] : [text, inJson, encodeURIComponent(text)];
}
