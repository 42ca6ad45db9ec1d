/** This file owns which members of a job are secret: by their name, or by their place. */
import { escapePattern, TextMask } from './text-mask.ts';

export interface RedactionRules {
  /** A member is masked when its name holds one of these, whatever the case. */
  words: readonly string[];
  /**
   * Places in a job, from its field on; `*` is any one member or element: `data.customer.iban`, `data.rows.*.phone`.
   * A field alone hides it whole: `logs`, `failedReason`, `opts`. A scheduler's template has the fields of its jobs.
   */
  paths: readonly string[];
}

export const DEFAULT_RULES: RedactionRules = {
  words: ['pass', 'secret', 'token', 'auth', 'key', 'cookie', 'card', 'ssn'],
  paths: [],
};

/** A place on the way to configured paths. */
export interface Place {
  isSecret: boolean;
  members: Map<string, Place>;
}

const NOWHERE: readonly Place[] = [];

/** The rules, compiled once and asked for each member. */
export class CompiledRules {
  readonly texts: TextMask;
  readonly #names: RegExp;
  readonly #root: Place = { isSecret: false, members: new Map() };

  constructor(rules: RedactionRules) {
    // Without words nothing is masked by name: `(?!)` matches nothing.
    this.#names = new RegExp(rules.words.map(escapePattern).join('|') || '(?!)', 'i');
    this.texts = new TextMask(rules.words);
    for (const path of rules.paths) this.#add(path);
  }

  /** Where a field of a job stands. */
  field(name: string): readonly Place[] {
    return this.member([this.#root], name);
  }

  /** Where a member stands of what stands at `places`. */
  member(places: readonly Place[], name: string): readonly Place[] {
    if (places.length === 0) return NOWHERE;
    return places.flatMap(({ members }) =>
      [members.get(name), members.get('*')].filter((place) => place !== undefined),
    );
  }

  isSecretPlace(places: readonly Place[]): boolean {
    return places.some(({ isSecret }) => isSecret);
  }

  isSecretMember(name: string, places: readonly Place[]): boolean {
    return this.#names.test(name) || this.isSecretPlace(places);
  }

  #add(path: string): void {
    let place = this.#root;
    for (const name of path.split('.')) {
      const next = place.members.get(name) ?? { isSecret: false, members: new Map() };
      place.members.set(name, next);
      place = next;
    }
    place.isSecret = true;
  }
}
