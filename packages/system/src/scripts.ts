/** This file owns the declarations of the Lua scripts of the system. */
import { defineScript } from '@sluice/redis';

export const changeRecords = defineScript({
  source: new URL('./lua/change-records.lua', import.meta.url),
  keys: ['records', 'trail'],
  args: ['author', 'request', 'max_fields', 'max_bytes', 'max_trail'],
  moreArgs: true,
});
