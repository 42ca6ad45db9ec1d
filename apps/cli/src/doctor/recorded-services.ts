/** This file owns cache services made at run time, as an examination finds them: in the Redis of the queue role, read and not changed. */
import { randomBytes } from 'node:crypto';
import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { keyspace, type ServiceConfig } from '@sluice/config';
import { close, connect, type RedisClient, untilReady } from '@sluice/redis';
import { deriveSecret, loadMasterSecret, within } from '@sluice/runtime';
import { Registry, type ServiceSecrets, serviceConfigOf } from '@sluice/system';
import type { DoctorConfig } from '../config.ts';

export interface RecordedServices {
  /** False: the Redis that holds them did not answer, or did not let us read. */
  isRead: boolean;
  services: readonly ServiceConfig[];
  /** Names of those that cannot be used here: sealed with another master secret than ours, or written by a later version. */
  unusable: readonly string[];
}

const READY_DEADLINE_MS = 1_000;
const READING_DEADLINE_MS = 1_500;

/** Settles within `READING_DEADLINE_MS`; never rejects. Services of the same name in the services file stand above these. */
export async function readRecordedServices(config: DoctorConfig): Promise<RecordedServices> {
  const redis = config.roles.redis.queue;
  let client: RedisClient | undefined;
  try {
    client = connect({ config: redis, profile: 'request', name: 'doctor-records' });
    return await within(read(client, config), READING_DEADLINE_MS);
  } catch {
    // Why it does not answer is told by its own examination.
    return { isRead: false, services: [], unusable: [] };
  } finally {
    if (client) await close(client, 300);
  }
}

async function read(client: RedisClient, config: DoctorConfig): Promise<RecordedServices> {
  const { roles } = config;
  await untilReady(client, READY_DEADLINE_MS);
  const isCluster = roles.redis.queue.kind === 'cluster';
  const registry = new Registry({ client, keys: keyspace(roles.prefix, { isCluster }) });
  await registry.refresh();
  const configured = new Set(config.services.map(({ name }) => name));
  const records = registry.list('service').filter(({ name }) => !configured.has(name));
  const secrets: ServiceSecrets = { secret: deriveSecret(await masterSecret(config), 'system'), roles };
  const services: ServiceConfig[] = [];
  const unusable: string[] = [];
  for (const record of records) {
    try {
      services.push(serviceConfigOf(record, secrets));
    } catch {
      // The seal of its password does not open, or its record is of another version.
      unusable.push(record.name);
    }
  }
  return { isRead: registry.isLoaded, services, unusable };
}

/** An examination makes no secret: without one, whatever was sealed stays so. */
async function masterSecret({ masterSecret: given, dataDirectory }: DoctorConfig): Promise<Buffer> {
  const isThere =
    given !== undefined ||
    (await access(join(dataDirectory, 'secret')).then(
      () => true,
      () => false,
    ));
  if (!isThere) return randomBytes(32);
  return await loadMasterSecret({ value: given?.reveal(), directory: dataDirectory });
}
