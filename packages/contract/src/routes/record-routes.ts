/** This file owns the six routes that records of every kind have; what is said of them differs, and what they hold. */
import { z } from 'zod';
import type { ErrorCode } from '../errors.ts';
import { IF_MATCH_HEADER } from '../headers.ts';
import { route } from '../route.ts';
import {
  createErrors,
  IF_MATCH,
  oneOrMany,
  recordErrors,
  removed,
  SYSTEM_PATH,
  systemRead,
  systemWrite,
  systemTag as tag,
} from './system.ts';

interface RecordRoutes<
  Word extends string,
  Words extends string,
  Params extends z.ZodObject<{ name: z.ZodType<string> }>,
  Item extends z.ZodObject,
  View extends z.ZodType,
> {
  /** The kind, as it stands in the path. */
  kind: string;
  /** Of operation ids: `Policy`, `Policies`. */
  word: Word;
  words: Words;
  params: Params;
  item: Item;
  view: View;
  summaries: Readonly<Record<'list' | 'create' | 'get' | 'patch' | 'replace' | 'remove', string>>;
  /** Codes of a change, beside those of every record. */
  errors?: readonly ErrorCode[];
}

/** A change is on condition of `If-Match`. What is wrong with an item is told by its own rules, with every fault. */
export function recordRoutes<
  const Word extends string,
  const Words extends string,
  Params extends z.ZodObject<{ name: z.ZodType<string> }>,
  Item extends z.ZodObject,
  View extends z.ZodType,
>({
  kind,
  word,
  words,
  params,
  item,
  view,
  summaries,
  errors = [],
}: RecordRoutes<Word, Words, Params, Item, View>) {
  const path = `${SYSTEM_PATH}/${kind}`;
  const one = { 200: { description: `The ${kind}`, schema: view } } as const;
  const all = z.object({ resource: z.array(view) });
  return {
    list: route({
      id: `list${words}`,
      method: 'get',
      path,
      tag,
      summary: summaries.list,
      access: systemRead,
      replies: { 200: { description: `Every ${kind}`, schema: all } },
    }),
    create: route({
      id: `create${words}`,
      method: 'post',
      path,
      tag,
      summary: summaries.create,
      access: systemWrite,
      body: { schema: oneOrMany(item), bound: 'batch' },
      replies: { 201: { description: 'Created', schema: all } },
      errors: [...createErrors, 'batch_failed'],
    }),
    get: route({
      id: `get${word}`,
      method: 'get',
      path: `${path}/{name}`,
      tag,
      summary: summaries.get,
      access: systemRead,
      params,
      replies: one,
      errors: ['record_unknown'],
    }),
    patch: route({
      id: `patch${word}`,
      method: 'patch',
      path: `${path}/{name}`,
      tag,
      summary: summaries.patch,
      description: IF_MATCH,
      access: systemWrite,
      headers: IF_MATCH_HEADER,
      params,
      body: { schema: patchOf(item, `${word}Patch`) },
      replies: one,
      errors: [...recordErrors, ...errors],
    }),
    replace: route({
      id: `replace${word}`,
      method: 'put',
      path: `${path}/{name}`,
      tag,
      summary: summaries.replace,
      description: IF_MATCH,
      access: systemWrite,
      headers: IF_MATCH_HEADER,
      params,
      body: { schema: item },
      replies: one,
      errors: [...recordErrors, ...errors],
    }),
    remove: route({
      id: `remove${word}`,
      method: 'delete',
      path: `${path}/{name}`,
      tag,
      summary: summaries.remove,
      description: IF_MATCH,
      access: systemWrite,
      headers: IF_MATCH_HEADER,
      params,
      replies: { 200: { description: 'Removed', schema: removed } },
      errors: [...recordErrors],
    }),
  };
}

/** The same with `null` for whatever a JSON Merge Patch (RFC 7396) is to take away. */
function patchOf<Item extends z.ZodObject>(item: Item, id?: string): Item {
  const shape = Object.entries(item.shape).map(([name, member]) => [name, removable(member as z.ZodType)]);
  const patch = z.looseObject(Object.fromEntries(shape) as z.ZodRawShape);
  // Its members are unknown to the compiler either way.
  return (id === undefined ? patch : patch.meta({ id })) as unknown as Item;
}

function removable(member: z.ZodType): z.ZodType {
  const inner = member instanceof z.ZodOptional ? member.unwrap() : member;
  if (inner instanceof z.ZodObject) return patchOf(inner).nullish();
  const { type, ...rest } = member.meta() ?? {};
  return z
    .unknown()
    .optional()
    .meta({ ...rest, type: [type, 'null'] } as Record<string, unknown>);
}

/** A member that is told here and judged by the rules of its kind. */
export function told(type: string, description: string, example?: unknown): z.ZodOptional<z.ZodUnknown> {
  return z
    .unknown()
    .optional()
    .meta({ type, description, ...(example !== undefined && { example }) } as Record<string, unknown>);
}
