/** This file owns the declarations of the Lua scripts of access. */
import { defineScript } from '@sluice/redis';

const at = (file: string) => new URL(`./lua/${file}.lua`, import.meta.url);

/** Functions of the scripts that change keys. */
const parts = [at('trail')];

export const putKey = defineScript({
  source: at('put-key'),
  parts,
  keys: ['records', 'trail'],
  args: ['by', 'id', 'record', 'pepper', 'max_fields'],
  moreArgs: true,
});

export const firstKey = defineScript({
  source: at('first-key'),
  parts,
  keys: ['records', 'trail'],
  args: ['by', 'id', 'record', 'pepper'],
});

export const revokeKey = defineScript({
  source: at('revoke-key'),
  parts: [...parts, at('admins')],
  keys: ['records', 'trail'],
  args: ['by', 'id', 'expected', 'keeps_admin'],
});

export const patchKey = defineScript({
  source: at('patch-key'),
  parts: [...parts, at('admins')],
  keys: ['records', 'trail'],
  args: ['by', 'id', 'expected', 'keeps_admin', 'patch'],
});

export const rotateKey = defineScript({
  source: at('rotate-key'),
  parts,
  keys: ['records', 'trail'],
  args: ['by', 'id', 'expected', 'new_id', 'digest', 'pepper', 'overlap_ms', 'max_fields'],
});

export const markUsed = defineScript({
  source: at('mark-used'),
  keys: ['records'],
  args: [],
  moreArgs: true,
});
