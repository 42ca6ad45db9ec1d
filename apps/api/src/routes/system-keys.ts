/** This file owns the answers about API keys and the trail of changes: nobody gives more than he has, nobody locks everybody out. */
import type { KeyPatch, KeyQuota, KeyRecord, KeyRing, MintedKey } from '@sluice/access';
import type { ErrorCode, routes } from '@sluice/contract';
import { DomainError } from '@sluice/runtime';
import type { Trail } from '@sluice/system';
import type { Call, Handlers, Principal } from '../http/call.ts';
import { json } from '../http/reply.ts';
import { authorshipOf, etag, versionWanted } from './system-records.ts';

type KeyRoutes = Pick<
  typeof routes,
  'listKeys' | 'createKey' | 'getKey' | 'updateKey' | 'revokeKey' | 'rotateKey' | 'readTrail'
>;
type QuotaBody = NonNullable<Call<KeyRoutes['createKey']>['body']['quota']>;

export function systemKeyHandlers({
  keyRing,
  trail,
}: {
  keyRing: KeyRing;
  trail: Trail;
}): Handlers<KeyRoutes> {
  /** The key as the caller may change it. The change holds only while it is at this version. */
  const changeable = async (call: Call, id: string): Promise<KeyRecord> => {
    const record = await keyRing.get(id);
    const wanted = versionWanted(call);
    if (wanted !== undefined && wanted !== record.version) {
      throw new DomainError<ErrorCode>(
        'version_mismatch',
        `The key ${record.id} is at version ${record.version}, not ${wanted}. Read it again.`,
        { details: { version: record.version } },
      );
    }
    requireCover(call.principal, record.scopes);
    return record;
  };

  return {
    listKeys: async () => json(200, { resource: (await keyRing.list()).map(keyBody) }),
    createKey: async (call) => {
      const { label, scopes, expires_at: expiresAt, quota } = call.body;
      requireCover(call.principal, scopes);
      const made = await keyRing.create(
        { label, scopes, expiresAt: instantOf(expiresAt) ?? null, quota: quota ? quotaOf(quota) : null },
        authorshipOf(call),
      );
      return json(201, mintedBody(made));
    },
    getKey: async ({ params }) => {
      const record = await keyRing.get(params.id);
      return json(200, keyBody(record), etag(record.version));
    },
    updateKey: async (call) => {
      const { id, version } = await changeable(call, call.params.id);
      const { label, scopes, expires_at: expiresAt, is_active: isActive, quota } = call.body;
      if (scopes) requireCover(call.principal, scopes);
      const patch: KeyPatch = {
        ...(label !== undefined && { label }),
        ...(scopes !== undefined && { scopes }),
        ...(expiresAt !== undefined && { expiresAt: instantOf(expiresAt) ?? null }),
        ...(isActive !== undefined && { isActive }),
        ...(quota !== undefined && { quota: quota && quotaOf(quota) }),
      };
      const record = await keyRing.update(id, patch, authorshipOf(call), { version, keepsAdmin: true });
      return json(200, keyBody(record), etag(record.version));
    },
    revokeKey: async (call) => {
      const { id, version } = await changeable(call, call.params.id);
      const record = await keyRing.revoke(id, authorshipOf(call), { version, keepsAdmin: true });
      return json(200, keyBody(record), etag(record.version));
    },
    rotateKey: async (call) => {
      const { id, version } = await changeable(call, call.params.id);
      const overlap = call.body?.overlap;
      const options = { version, ...(overlap !== undefined && { overlapMs: overlap * 1_000 }) };
      return json(201, mintedBody(await keyRing.rotate(id, options, authorshipOf(call))));
    },
    readTrail: async ({ query: { limit, cursor } }) => {
      const { entries, next } = await trail.page({
        ...(limit !== undefined && { limit }),
        ...(cursor !== undefined && { before: cursor }),
      });
      const resource = entries.map((entry) => ({ ...entry, at: new Date(entry.at).toISOString() }));
      return json(200, { resource, meta: { next } });
    },
  };
}

/** Throws `forbidden` unless the caller could have made a key of these scopes. */
function requireCover({ grants, quota }: Principal, scopes: readonly string[]): void {
  if (quota) {
    throw new DomainError<ErrorCode>(
      'forbidden',
      'A key with a quota makes and changes no keys: it could make itself one without.',
    );
  }
  const missing = scopes.find((scope) => !grants.covers(scope));
  if (missing === undefined) return;
  throw new DomainError<ErrorCode>('forbidden', `This key does not hold the scope ${missing} itself.`, {
    details: { scope: missing },
  });
}

function quotaOf({ requests, backlog, payload_bytes: payloadBytes }: QuotaBody): KeyQuota {
  return {
    ...(requests !== undefined && { requests }),
    ...(backlog !== undefined && { backlog }),
    ...(payloadBytes !== undefined && { payloadBytes }),
  };
}

function mintedBody({ key, record }: MintedKey) {
  return { ...keyBody(record), key };
}

function keyBody(record: KeyRecord) {
  const { requests, backlog, payloadBytes } = record.quota ?? {};
  return {
    id: record.id,
    label: record.label,
    scopes: record.scopes,
    is_active: record.isActive,
    quota: record.quota && { requests, backlog, payload_bytes: payloadBytes },
    version: record.version,
    origin: record.origin,
    created_at: textOf(record.createdAt),
    expires_at: textOf(record.expiresAt),
    revoked_at: textOf(record.revokedAt),
    replaced_by: record.replacedBy,
    last_used_at: textOf(record.lastUsedAt),
  };
}

function textOf(at: number | null): string | null {
  return at === null ? null : new Date(at).toISOString();
}

function instantOf(text: string | null | undefined): number | null | undefined {
  return typeof text === 'string' ? Date.parse(text) : text;
}
