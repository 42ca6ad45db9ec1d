/** This file owns the answers about cache services: those of the configuration to look at, those made at run time to change. */
import type { HostPort, RedisConfig, ServiceConfig } from '@sluice/config';
import type { ErrorCode, routes } from '@sluice/contract';
import { DomainError } from '@sluice/runtime';
import {
  Book,
  type ConnectionTest,
  patchService,
  type Registry,
  recordedServices,
  replaceService,
  type ServiceBody,
  type ServiceSecrets,
  type StoredRecord,
  serviceConfigOf,
  testConnection,
  toldService,
} from '@sluice/system';
import type { CacheServices } from '../cache-services.ts';
import type { Call, Handlers } from '../http/call.ts';
import { json, type Reply } from '../http/reply.ts';
import { runtimeService } from '../system/runtime-services.ts';
import { recordHandlers } from './record-handlers.ts';
import { versionWanted } from './system-records.ts';

type ServiceRoutes = Pick<
  typeof routes,
  | 'listServices'
  | 'createServices'
  | 'getService'
  | 'patchService'
  | 'replaceService'
  | 'removeService'
  | 'testService'
  | 'testStoredService'
>;

export function systemServiceHandlers(options: {
  registry: Registry;
  cacheServices: CacheServices;
  configured: readonly ServiceConfig[];
  secrets: ServiceSecrets;
}): Handlers<ServiceRoutes> {
  const { registry, cacheServices, secrets } = options;
  const configured = new Map(options.configured.map((config) => [config.name, config]));
  const recorded = recordedServices(secrets);
  const book = new Book<ServiceBody>({ registry, recorded, configured: [...configured.keys()] });
  const records = recordHandlers({
    registry,
    kind: 'service',
    book,
    configured: new Map(options.configured.map((config) => [config.name, configuredBody(config)])),
    told: (_, record) => recordBody(record, secrets),
    patch: (body, given) => patchService(body, given, secrets.secret),
    replace: (body, given) => replaceService(body, given, secrets.secret),
  });

  return {
    listServices: records.list,
    createServices: records.create,
    getService: records.get,
    patchService: records.patch,
    replaceService: records.replace,
    removeService: async (call) => {
      const { name } = call.params;
      book.requireMutable(name);
      const record = await book.get(name, { version: versionWanted(call) });
      if (call.query.flush) await flush(call, cacheServices, record);
      return await records.remove(call);
    },
    testService: async ({ body }) => {
      // A service to be need not have a name yet.
      const read = recorded.read({ name: 'test', type: 'cache_redis', ...body });
      if ('issues' in read) {
        const { issues } = read;
        const sentence = `${issues[0]?.path}: ${issues[0]?.message}`;
        throw new DomainError<ErrorCode>('record_invalid', sentence, { details: { issues } });
      }
      return await testReply(serviceConfigOf({ name: read.name, body: read.body }, secrets));
    },
    testStoredService: async ({ params: { name } }) =>
      await testReply(configured.get(name) ?? serviceConfigOf(await book.get(name), secrets)),
  };
}

/** Who may not flush a service does not come to it by removing it. */
async function flush(call: Call, services: CacheServices, { name }: StoredRecord): Promise<void> {
  if (!call.principal.grants.allowsPrefix('cache', 'flush', `${name}/`)) {
    throw new DomainError<ErrorCode>('forbidden', `This key lacks the scope cache:flush for '${name}/*'.`, {
      details: { scope: 'cache:flush' },
    });
  }
  const service = services.all().find(({ config }) => config.name === name);
  if (!service)
    throw new DomainError<ErrorCode>('record_changed', `Service ${name} is not known here yet. Try again.`);
  if (service.config.options.flushPolicy === 'deny')
    throw new DomainError<ErrorCode>('flush_denied', `Service ${name} does not let itself be flushed.`);
  await service.during(() => service.cache.flush({ prefix: '', isDryRun: false }));
}

async function testReply({ redis }: ServiceConfig): Promise<Reply> {
  const test: ConnectionTest = redis
    ? await testConnection(redis)
    : {
        isReachable: true,
        isAuthenticated: true,
        latencyMs: 0,
        serverVersion: null,
        fault: null,
        warnings: ['Its values lie on the disk of each server: servers do not share them.'],
      };
  return json(200, {
    reachable: test.isReachable,
    authenticated: test.isAuthenticated,
    latency_ms: test.latencyMs,
    server_version: test.serverVersion,
    fault: test.fault,
    warnings: test.warnings,
  });
}

function recordBody(record: StoredRecord, secrets: ServiceSecrets) {
  const runtime = runtimeService(record, secrets);
  return {
    ...toldService(record.body as ServiceBody),
    problem: 'problem' in runtime ? runtime.problem.message : null,
  };
}

function configuredBody({
  name,
  label,
  description,
  type,
  isActive,
  redis,
  defaultTtlMinutes,
  options,
}: ServiceConfig) {
  return {
    name,
    label,
    description,
    type,
    is_active: isActive,
    problem: null,
    config: {
      ...(redis && placeOf(redis)),
      default_ttl: defaultTtlMinutes,
      options: {
        ...(redis && placeOptionsOf(redis)),
        ...(options.keyPrefix !== undefined && { key_prefix: options.keyPrefix }),
        flush_policy: options.flushPolicy,
        unavailable_status: options.unavailableStatus,
        post_status: options.postStatus,
        ...(options.maxValueBytes !== undefined && { max_value_bytes: options.maxValueBytes }),
        ...(options.deflateOverBytes !== undefined && { deflate_over_bytes: options.deflateOverBytes }),
        ...(options.near && { near: nearOf(options.near) }),
      },
    },
  };
}

function placeOf(redis: RedisConfig) {
  return {
    ...(redis.kind === 'standalone' && { host: redis.host, port: redis.port }),
    ...(redis.username !== undefined && { username: redis.username }),
    has_password: redis.password !== undefined,
    database_index: redis.kind === 'cluster' ? 0 : redis.database,
  };
}

function placeOptionsOf(redis: RedisConfig) {
  const text = ({ host, port }: HostPort) => `${host}:${port}`;
  return {
    ...(redis.kind === 'sentinel' && { sentinels: redis.sentinels.map(text), sentinel_master: redis.master }),
    ...(redis.kind === 'cluster' && { cluster_nodes: redis.nodes.map(text) }),
    ...(redis.tls && { tls: true }),
  };
}

function nearOf({ maxEntries, maxBytes, maxAgeMs }: NonNullable<ServiceConfig['options']['near']>) {
  return { max_entries: maxEntries, max_bytes: maxBytes, max_age_ms: maxAgeMs };
}
