/** This file owns the declarations of the session scripts; the rules themselves are in `lua/`. */
import { defineScript } from '@sluice/redis';

export const createScript = defineScript({
  source: new URL('./lua/create.lua', import.meta.url),
  keys: ['session', 'user'],
  args: ['id', 'hash', 'about', 'data', 'idle_ms', 'absolute_ms', 'generation', 'max_per_user', 'when_full'],
});

export const presentScript = defineScript({
  source: new URL('./lua/present.lua', import.meta.url),
  keys: ['session', 'user'],
  args: ['deed', 'id', 'hash'],
  moreArgs: true,
});

export const revokeAllScript = defineScript({
  source: new URL('./lua/revoke-all.lua', import.meta.url),
  keys: ['user'],
  args: ['memory_ms'],
});
