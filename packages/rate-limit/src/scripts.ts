/** This file owns the declaration of the one Lua script of rate limits: the algorithms, and above them the steps. */
import { defineScript } from '@sluice/redis';

const at = (file: string) => new URL(`./lua/${file}.lua`, import.meta.url);

export const decideLimits = defineScript({
  source: at('limit'),
  parts: [at('shared'), at('fixed'), at('sliding'), at('gcra'), at('concurrency')],
  keys: [],
  moreKeys: true,
  args: ['now_ms', 'rules', 'steps'],
});
