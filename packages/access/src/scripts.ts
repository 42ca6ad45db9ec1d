/** This file owns the declarations of the Lua scripts of access. */
import { defineScript } from '@sluice/redis';

const at = (file: string) => new URL(`./lua/${file}.lua`, import.meta.url);

export const putKey = defineScript({
  source: at('put-key'),
  keys: ['records'],
  args: ['id', 'record', 'pepper', 'max_fields'],
  moreArgs: true,
});

export const firstKey = defineScript({
  source: at('first-key'),
  keys: ['records'],
  args: ['id', 'record', 'pepper'],
});

export const revokeKey = defineScript({
  source: at('revoke-key'),
  keys: ['records'],
  args: ['id'],
});

export const rotateKey = defineScript({
  source: at('rotate-key'),
  keys: ['records'],
  args: ['id', 'new_id', 'digest', 'pepper', 'overlap_ms', 'max_fields'],
});

export const markUsed = defineScript({
  source: at('mark-used'),
  keys: ['records'],
  args: [],
  moreArgs: true,
});
