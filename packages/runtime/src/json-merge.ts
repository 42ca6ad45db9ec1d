/** This file owns JSON Merge Patch (RFC 7396) on text: what the patch does not name keeps its spelling and its place. */
import { jsonMembers } from './json.ts';

/**
 * `target` changed by `patch`, both JSON texts that `JSON.parse` accepts; `target` may be `undefined`, nothing yet. Work
 * grows with depth times length: bound both where they come from outside.
 */
export function mergePatch(target: string | undefined, patch: string): string {
  if (!isObject(patch)) return patch;
  const members = new Map<string, string>();
  if (target !== undefined && isObject(target)) {
    for (const { name, text } of jsonMembers(target)) members.set(name, text);
  }
  for (const { name, text } of jsonMembers(patch)) {
    if (text === 'null') members.delete(name);
    else members.set(name, mergePatch(members.get(name), text));
  }
  return `{${[...members].map(([name, text]) => `${JSON.stringify(name)}:${text}`).join(',')}}`;
}

function isObject(text: string): boolean {
  return text.trimStart().startsWith('{');
}
