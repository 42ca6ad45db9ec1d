export {
  ConfigError,
  type ConfigFault,
  Env,
  type EnvironmentVariables,
  Secret,
  type TextRule,
} from './env.ts';
export { type Keyspace, keyspace } from './keyspace.ts';
export {
  type ClusterConfig,
  describeRedis,
  type HostPort,
  MAX_REDIS_DATABASE,
  type RedisConfig,
  redisIdentity,
  type SentinelConfig,
  type StandaloneConfig,
  type TlsConfig,
} from './redis-config.ts';
export {
  namesRedis,
  ROLES,
  type Role,
  type RolesConfig,
  readRoles,
  STORE_DRIVERS,
  type StoreDriver,
} from './roles.ts';
export {
  parseService,
  parseServices,
  type ReadService,
  type ServiceConfig,
  type ServiceOptions,
} from './services.ts';
export {
  RESERVED_SERVICE_NAMES,
  SERVICE_TYPES,
  type ServiceText,
  type ServiceType,
} from './services-file.ts';
export { readServicesText } from './services-text.ts';
