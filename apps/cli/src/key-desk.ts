/** This file owns where `sluice keys` does its work: straight in Redis, so that it works while nothing else runs, or at a running API. Both answer alike. */
import { type KeyPatch, type KeyRecord, KeyRing } from '@sluice/access';
import { deriveSecret, loadMasterSecret } from '@sluice/runtime';
import { type Authorship, MAX_TRAIL_ENTRIES, systemKeys } from '@sluice/system';
import { type Api, withApi } from './api.ts';
import { misused } from './argument.ts';
import { author } from './author.ts';
import { readConfig } from './config.ts';
import { withRedis } from './redis.ts';
import type { Terminal } from './terminal.ts';

/** Where to: at `url`, else in Redis. */
export interface DeskOptions {
  url?: string;
  key?: string;
  dataDir?: string;
  json?: true;
}

type Client = Api['client'];
/** A key as the API tells it. */
export type KeyView = Awaited<ReturnType<Client['getKey']>>;
/** The same with the key itself. */
export type MintedView = Awaited<ReturnType<Client['createKey']>>;
export type NewKeyBody = NonNullable<NonNullable<Parameters<Client['createKey']>[0]>['body']>;
export type KeyChange = NonNullable<NonNullable<Parameters<Client['updateKey']>[0]>['body']>;
type QuotaBody = NonNullable<NewKeyBody['quota']>;

export interface KeyDesk {
  list(): Promise<readonly KeyView[]>;
  show(id: string): Promise<KeyView>;
  create(body: NewKeyBody): Promise<MintedView>;
  update(id: string, change: KeyChange): Promise<KeyView>;
  /** `overlapSeconds`: how long the old key goes on; default a day. */
  rotate(id: string, overlapSeconds: number | undefined): Promise<MintedView>;
  revoke(id: string): Promise<KeyView>;
}

/** Runs `work` at the API of `--url`, or in Redis when there is none. */
export async function withKeyDesk<T>(
  options: DeskOptions,
  terminal: Terminal,
  work: (desk: KeyDesk) => Promise<T>,
): Promise<T> {
  if (options.url !== undefined) return await withApi(options, terminal, (api) => work(atApi(api)));
  if (options.key !== undefined)
    throw misused('--key is for an API: say with --url which. Without, keys are changed in Redis itself.');
  const config = readConfig(terminal.variables, { dataDir: options.dataDir });
  const secret = await loadMasterSecret({
    value: config.masterSecret?.reveal(),
    directory: config.dataDirectory,
  });
  const pepper = deriveSecret(secret, 'api keys');
  return await withRedis(config, ({ client, keys }) => {
    const trail = { key: systemKeys(keys).trail, maxEntries: MAX_TRAIL_ENTRIES };
    return work(inRedis(new KeyRing({ client, keys, pepper, trail })));
  });
}

function atApi({ client }: Api): KeyDesk {
  return {
    list: async () => (await client.listKeys()).resource,
    show: (id) => client.getKey({ params: { id } }),
    create: (body) => client.createKey({ body }),
    update: (id, body) => client.updateKey({ params: { id }, body }),
    rotate: (id, overlap) => client.rotateKey({ params: { id }, body: { overlap } }),
    revoke: (id) => client.revokeKey({ params: { id } }),
  };
}

function inRedis(keyRing: KeyRing): KeyDesk {
  const by: Authorship = { author: author(), requestId: null };
  return {
    list: async () => (await keyRing.list()).map(viewOf),
    show: async (id) => viewOf(await keyRing.get(id)),
    create: async ({ label, scopes, expires_at: expiresAt = null, quota }) => {
      const { key, record } = await keyRing.create(
        { label, scopes, expiresAt: instantOf(expiresAt), quota: quota && quotaOf(quota) },
        by,
      );
      return { ...viewOf(record), key };
    },
    update: async (id, { label, scopes, expires_at: expiresAt, is_active: isActive, quota }) => {
      const patch: KeyPatch = {
        ...(label !== undefined && { label }),
        ...(scopes !== undefined && { scopes }),
        ...(expiresAt !== undefined && { expiresAt: instantOf(expiresAt) }),
        ...(isActive !== undefined && { isActive }),
        ...(quota !== undefined && { quota: quota && quotaOf(quota) }),
      };
      return viewOf(await keyRing.update(id, patch, by));
    },
    rotate: async (id, overlap) => {
      const options = overlap === undefined ? {} : { overlapMs: overlap * 1_000 };
      const { key, record } = await keyRing.rotate(id, options, by);
      return { ...viewOf(record), key };
    },
    revoke: async (id) => viewOf(await keyRing.revoke(id, by)),
  };
}

/** What is wrong in it is told by whoever stores it. */
function quotaOf({ payload_bytes: payloadBytes, ...rest }: QuotaBody) {
  return { ...rest, ...(payloadBytes !== undefined && { payloadBytes }) };
}

function viewOf(record: KeyRecord): KeyView {
  const { payloadBytes, ...quota } = record.quota ?? {};
  return {
    id: record.id,
    label: record.label,
    scopes: record.scopes,
    is_active: record.isActive,
    quota: record.quota && { ...quota, ...(payloadBytes !== undefined && { payload_bytes: payloadBytes }) },
    version: record.version,
    origin: record.origin,
    created_at: new Date(record.createdAt).toISOString(),
    expires_at: textOf(record.expiresAt),
    revoked_at: textOf(record.revokedAt),
    replaced_by: record.replacedBy,
    last_used_at: textOf(record.lastUsedAt),
  };
}

function textOf(at: number | null): string | null {
  return at === null ? null : new Date(at).toISOString();
}

function instantOf(text: string | null): number | null {
  return text === null ? null : Date.parse(text);
}
