/** This file owns the declarations of the cache's Lua; what each does is said in its own header. */
import { defineScript } from '@sluice/redis';

const lua = (name: string) => new URL(`./lua/${name}.lua`, import.meta.url);

export const writeMatching = defineScript({
  source: lua('write_matching'),
  keys: ['entry'],
  args: ['value', 'ttl'],
  moreArgs: true,
});
export const removeMatching = defineScript({
  source: lua('remove_matching'),
  keys: ['entry', 'lease'],
  args: [],
  moreArgs: true,
});
export const writeAllAbsent = defineScript({
  source: lua('write_all_absent'),
  keys: [],
  args: [],
  moreKeys: true,
  moreArgs: true,
});
