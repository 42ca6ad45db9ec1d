/** This file owns the routes of API keys, and of the trail of changes. */
import {
  KEY_ORIGINS,
  keyIdSchema,
  keyQuotaSchema,
  MAX_ROTATION_OVERLAP_SECONDS,
  newKeySchema,
} from '@sluice/access/schemas';
import { MAX_TRAIL_PAGE, trailCursorSchema, trailEntrySchema } from '@sluice/system/schemas';
import { z } from 'zod';
import { IF_MATCH_HEADER } from '../headers.ts';
import { queryInteger } from '../query.ts';
import { route } from '../route.ts';
import { IF_MATCH, SYSTEM_PATH, systemRead, systemWrite, systemTag as tag } from './system.ts';

const PATH = `${SYSTEM_PATH}/key`;
const params = z.object({ id: keyIdSchema });

const quota = z
  .strictObject({
    requests: keyQuotaSchema.shape.requests.meta({
      description: 'At most so many in any such period; else 429',
    }),
    backlog: keyQuotaSchema.shape.backlog.meta({
      description: 'Jobs it has put into one queue that no worker has begun; else 429',
    }),
    payload_bytes: keyQuotaSchema.shape.payloadBytes.meta({ description: 'Bytes of one body; else 413' }),
  })
  .meta({ id: 'KeyQuota' });

const expiresAt = z.iso
  .datetime({ offset: true })
  .nullable()
  .meta({ description: 'null: until revoked', example: '2099-01-31T00:00:00Z' });

const { label, scopes } = newKeySchema.shape;
const isActive = z.boolean().meta({ description: 'false: it opens nothing until it is true again' });

const view = z
  .object({
    id: keyIdSchema.meta({ description: 'Part of the key, and no secret' }),
    label: z.string(),
    scopes: z.array(z.string()),
    is_active: isActive,
    quota: quota.nullable(),
    version: z.int().meta({ description: 'Grows with every change; also the ETag' }),
    origin: z.enum(KEY_ORIGINS),
    created_at: z.iso.datetime(),
    expires_at: z.iso.datetime().nullable(),
    revoked_at: z.iso.datetime().nullable(),
    replaced_by: keyIdSchema.nullable().meta({ description: 'The key made in its place' }),
    last_used_at: z.iso.datetime().nullable().meta({ description: 'To the minute' }),
  })
  .meta({ id: 'Key' });
const minted = z
  .object({
    ...view.shape,
    key: z.string().meta({ description: 'The key itself; shown once, stored hashed' }),
  })
  .meta({ id: 'MintedKey' });

const GRANT_NOTE =
  'Nobody gives more than he has: the caller holds every scope of the key he makes or changes, before and after, and a ' +
  'caller with a quota makes and changes none.';

export const systemKeys = {
  listKeys: route({
    id: 'listKeys',
    method: 'get',
    path: PATH,
    tag,
    summary: 'Every API key, the oldest first; never the key itself',
    access: systemRead,
    replies: { 200: { description: 'Keys', schema: z.object({ resource: z.array(view) }) } },
  }),
  createKey: route({
    id: 'createKey',
    method: 'post',
    path: PATH,
    tag,
    summary: 'Make an API key, which is shown this once; every server knows it within 2 s',
    description: GRANT_NOTE,
    access: systemWrite,
    body: {
      schema: z.strictObject({
        label,
        scopes,
        expires_at: expiresAt.optional(),
        quota: quota.nullish(),
      }),
    },
    replies: { 201: { description: 'The key', schema: minted } },
    errors: ['key_invalid', 'too_many_keys', 'secret_changed'],
  }),
  getKey: route({
    id: 'getKey',
    method: 'get',
    path: `${PATH}/{id}`,
    tag,
    summary: 'One API key; never the key itself',
    access: systemRead,
    params,
    replies: { 200: { description: 'The key', schema: view } },
    errors: ['key_unknown'],
  }),
  updateKey: route({
    id: 'updateKey',
    method: 'patch',
    path: `${PATH}/{id}`,
    tag,
    summary: 'Change label, scopes, expiry, quota, or suspend a key',
    description: `${GRANT_NOTE} ${IF_MATCH}`,
    access: systemWrite,
    headers: IF_MATCH_HEADER,
    params,
    body: {
      schema: z.strictObject({
        label: label.optional(),
        scopes: scopes.optional(),
        expires_at: expiresAt.optional(),
        is_active: isActive.optional(),
        quota: quota.nullable().optional(),
      }),
    },
    replies: { 200: { description: 'The key', schema: view } },
    errors: ['key_invalid', 'key_unknown', 'key_ended', 'key_changed', 'last_admin_key', 'version_mismatch'],
  }),
  revokeKey: route({
    id: 'revokeKey',
    method: 'delete',
    path: `${PATH}/{id}`,
    tag,
    summary: 'End a key for good; every server refuses it within 2 s. It stays listed for 30 days',
    description: `The last key of all scopes stays. ${IF_MATCH}`,
    access: systemWrite,
    headers: IF_MATCH_HEADER,
    params,
    replies: { 200: { description: 'The key', schema: view } },
    errors: ['key_unknown', 'key_changed', 'last_admin_key', 'version_mismatch'],
  }),
  rotateKey: route({
    id: 'rotateKey',
    method: 'post',
    path: `${PATH}/{id}/rotate`,
    tag,
    summary: 'Make a new key in the place of this one, which goes on for a while',
    description: GRANT_NOTE,
    access: systemWrite,
    params,
    body: {
      schema: z.strictObject({
        overlap: z
          .int()
          .min(0)
          .max(MAX_ROTATION_OVERLAP_SECONDS)
          .optional()
          .meta({ description: 'Seconds the old key still works; default a day, 0 ends it now' }),
      }),
      isOptional: true,
    },
    replies: { 201: { description: 'The new key, shown this once', schema: minted } },
    errors: ['key_unknown', 'key_ended', 'key_changed', 'too_many_keys', 'secret_changed'],
  }),
  readTrail: route({
    id: 'readTrail',
    method: 'get',
    path: `${SYSTEM_PATH}/audit`,
    tag,
    summary: 'Who changed which service, policy or key, the newest first; the last 10,000 or so',
    access: systemRead,
    query: z.object({
      limit: queryInteger(1, MAX_TRAIL_PAGE),
      cursor: trailCursorSchema.optional().meta({ description: '`meta.next` of the page before' }),
    }),
    replies: {
      200: {
        description: 'Changes',
        schema: z.object({
          resource: z.array(
            z.object({ ...trailEntrySchema.shape, at: z.iso.datetime() }).meta({ id: 'TrailEntry' }),
          ),
          meta: z.object({ next: z.string().optional() }),
        }),
      },
    },
  }),
};
