/** This file owns changing a part of an entry: JSON Merge Patch (RFC 7396) on texts, and what of the entry stays as it was. */
import { JsonText, jsonMembers } from '@sluice/runtime';
import type { TimedEntry } from './entry.ts';
import type { Ttl } from './rules.ts';
import type { SetItem } from './writing.ts';

export interface Changes {
  /** A JSON Merge Patch of the value. */
  merge?: JsonText | undefined;
  ttl?: Ttl | undefined;
  tags?: readonly string[] | undefined;
}

/** The item that stores the entry of `key` with these changes, over that entry alone. */
export function patched(key: string, { entry, ttlSeconds }: TimedEntry, changes: Changes): SetItem {
  const { tags = entry.tags } = changes;
  const { graceSeconds } = entry;
  const isFramed = tags.length > 0 || graceSeconds > 0;
  const left = ttlSeconds === null ? 'forever' : Math.max(1, ttlSeconds);
  return {
    key,
    value: new JsonText(changes.merge ? mergePatch(entry.text, changes.merge.text) : entry.text),
    // A plain entry keeps its TTL to the millisecond, a frame is made anew with what is left.
    ttl: changes.ttl ?? (isFramed ? left : 'keep'),
    tags,
    graceSeconds,
    ifMatch: [entry.etag],
  };
}

/** Both are JSON texts. What the patch does not name stays as it was written, byte for byte; a patch that is no object replaces all. */
export function mergePatch(target: string, patch: string): string {
  if (!isObject(patch)) return patch.trim();
  const merged = new Map<string, string>();
  if (isObject(target)) for (const { name, text } of jsonMembers(target)) merged.set(name, text);
  for (const { name, text } of jsonMembers(patch)) {
    if (text === 'null') merged.delete(name);
    else merged.set(name, isObject(text) ? mergePatch(merged.get(name) ?? 'null', text) : text);
  }
  const members = [...merged].map(([name, text]) => `${JSON.stringify(name)}:${text}`);
  return `{${members.join(',')}}`;
}

function isObject(text: string): boolean {
  return text.trimStart().startsWith('{');
}
