/** This file owns the declarations of the channel scripts. */
import { defineScript } from '@sluice/redis';

export const publishScript = defineScript({
  source: new URL('./lua/publish.lua', import.meta.url),
  keys: ['log'],
  args: ['topic', 'message', 'publish', 'count', 'keep_ms'],
});
