/** This file owns the declarations of the delivery scripts. */
import { defineScript } from '@sluice/redis';

const at = (file: string) => new URL(`./lua/${file}.lua`, import.meta.url);

export const swapRecord = defineScript({
  source: at('swap-record'),
  keys: ['records'],
  args: ['name', 'before', 'after', 'max'],
});

export const takePlace = defineScript({
  source: at('take-place'),
  keys: ['state', 'places'],
  args: ['lease', 'limit', 'lease_ms', 'keep_ms'],
});

export const leavePlace = defineScript({
  source: at('leave-place'),
  keys: ['state', 'places'],
  args: ['lease', 'outcome', 'took_ms', 'keep_ms', 'keep_down_ms'],
});
