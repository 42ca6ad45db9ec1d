/** This file owns the three-way merge of two saves of one session object: who changed a property, decides it. */
import { jsonMembers } from '@sluice/runtime';

/**
 * The text of `theirs` with the properties that `mine` changed since `base`; on a property that both changed, mine wins.
 * `session`, the object that `mine` was written from, is given their changes, so that its next save builds on them.
 */
export function mergeSaves(session: object, texts: { base: string; mine: string; theirs: string }): string {
  const base = properties(texts.base);
  const mine = properties(texts.mine);
  const theirs = properties(texts.theirs);
  const merged = new Map(theirs);
  for (const name of new Set([...base.keys(), ...mine.keys()])) {
    const value = mine.get(name);
    if (value === base.get(name)) continue;
    if (value === undefined) merged.delete(name);
    else merged.set(name, value);
  }
  const target = session as Record<string, unknown>;
  for (const name of new Set([...mine.keys(), ...merged.keys()])) {
    const value = merged.get(name);
    if (value === mine.get(name)) continue;
    if (value === undefined) delete target[name];
    else Object.defineProperty(target, name, { value: JSON.parse(value), ...ORDINARY });
  }
  return `{${[...merged].map(([name, value]) => `${JSON.stringify(name)}:${value}`).join(',')}}`;
}

/** Defined, not assigned: a property may be called `__proto__`. */
const ORDINARY = { enumerable: true, writable: true, configurable: true } as const;

function properties(text: string): Map<string, string> {
  return new Map(jsonMembers(text).map(({ name, text: value }) => [name, value]));
}
