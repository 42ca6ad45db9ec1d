/** This file owns the declarations of the cache's Lua; what each does is said in its own header. */
import { defineScript } from '@sluice/redis';

const lua = (name: string) => new URL(`./lua/${name}.lua`, import.meta.url);

export const writeMatching = defineScript({
  source: lua('write-matching'),
  keys: ['entry'],
  args: ['value', 'ttl'],
  moreArgs: true,
});
export const removeMatching = defineScript({
  source: lua('remove-matching'),
  keys: ['entry', 'lease'],
  args: [],
  moreArgs: true,
});
export const writeAllAbsent = defineScript({
  source: lua('write-all-absent'),
  keys: [],
  args: [],
  moreKeys: true,
  moreArgs: true,
});
export const openTag = defineScript({ source: lua('open-tag'), keys: ['tag'], args: ['candidate', 'ttl'] });
export const increment = defineScript({
  source: lua('increment'),
  keys: ['entry'],
  args: ['by', 'min', 'max', 'ttl'],
});
export const lease = defineScript({
  source: lua('lease'),
  keys: ['entry', 'lease'],
  args: ['token', 'ttl', 'note'],
});
export const renew = defineScript({ source: lua('renew'), keys: ['lease'], args: ['token', 'ttl'] });
export const fill = defineScript({
  source: lua('fill'),
  keys: ['entry', 'lease'],
  args: ['token', 'value', 'ttl'],
});
export const release = defineScript({
  source: lua('release'),
  keys: ['entry', 'lease'],
  args: ['token', 'word', 'ttl'],
});
export const writeMany = defineScript({
  source: lua('write-many'),
  keys: [],
  args: [],
  moreKeys: true,
  moreArgs: true,
});
