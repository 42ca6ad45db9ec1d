/** This file owns the API's environment: read once, every fault in one message. */
import {
  Env,
  type EnvironmentVariables,
  parseServices,
  type RolesConfig,
  readRoles,
  readServicesText,
  type Secret,
  type ServiceConfig,
} from '@sluice/config';
import { LOG_LEVELS, type LogLevel } from '@sluice/runtime';
import { type LimitConfig, readLimits } from './limit-config.ts';

export interface ApiConfig {
  host: string;
  port: number;
  roles: RolesConfig;
  /** Where the master secret, cached values of the file driver and the like are kept. */
  dataDirectory: string;
  /** From the file at SLUICE_CONFIG; without one, a single service named `redis`. */
  cacheServices: readonly ServiceConfig[];
  masterSecret: Secret | undefined;
  firstKey: Secret | undefined;
  logLevel: LogLevel;
  /** Which answered requests are logged. */
  accessLog: 'all' | 'errors' | 'off';
  allowsQueryCredentials: boolean;
  maxValueBytes: number;
  maxBatchBytes: number;
  maxBatchItems: number;
  /** Requests worked on at once; more are answered 503. */
  maxInFlight: number;
  /** Of their bodies together, but for those that came with their headers; more are answered 503. */
  maxBodyBytesInFlight: number;
  /** How long it goes on serving after SIGTERM, while clients and balancers leave. */
  shutdownLingerMs: number;
  shutdownDeadlineMs: number;
  sessions: { idleMs: number; absoluteMs: number; maxPerUser: number };
  leases: { checkMs: number; maxDeliveries: number };
  limits: LimitConfig;
  /** Between two looks at what alerts are about; 0: this process never looks. */
  alertCheckMs: number;
  /** Where to is read by OpenTelemetry itself. */
  isTraced: boolean;
}

const MIB = 1_048_576;
const DEFAULTS = {
  /** Only this machine, until somebody says otherwise. */
  host: '127.0.0.1',
  port: 8080,
  dataDirectory: '.sluice',
  maxValueBytes: MIB,
  maxBatchBytes: 8 * MIB,
  maxBatchItems: 1_000,
  /** What waits for a slow Redis. Of a busy process its own speed decides, long before. */
  maxInFlight: 1_000,
  /** Parsed and on its way to Redis a body takes several times its length. */
  maxBodyBytesInFlight: 128 * MIB,
  shutdownLingerSeconds: 1,
  shutdownDeadlineSeconds: 25,
} as const;

/** Throws `ConfigError` with every fault. */
export function readConfig(variables: EnvironmentVariables): ApiConfig {
  const env = new Env(variables);
  const roles = readRoles(env);
  const file = readServicesText(env);
  const config: ApiConfig = {
    host: env.text('HOST', DEFAULTS.host, {
      pattern: /^[\w.:-]{1,253}$/,
      wanted: 'an address to listen at',
      example: '0.0.0.0',
    }),
    port: env.integer('PORT', DEFAULTS.port, { min: 0, max: 65_535 }),
    roles,
    dataDirectory: env.text('SLUICE_DATA_DIR', DEFAULTS.dataDirectory),
    cacheServices: parseServices({ ...file, env, roles }),
    masterSecret: env.secret('SLUICE_SECRET', { minLength: 32 }),
    firstKey: env.secret('SLUICE_API_KEY', { minLength: 16 }),
    logLevel: env.oneOf('LOG_LEVEL', LOG_LEVELS, 'info'),
    accessLog: env.oneOf('ACCESS_LOG', ['all', 'errors', 'off'], 'all'),
    allowsQueryCredentials: env.boolean('ALLOW_QUERY_CREDENTIALS', false),
    maxValueBytes: env.integer('MAX_VALUE_BYTES', DEFAULTS.maxValueBytes, { min: 1_024, max: 512 * MIB }),
    maxBatchBytes: env.integer('MAX_BATCH_BYTES', DEFAULTS.maxBatchBytes, { min: 1_024, max: 512 * MIB }),
    maxBatchItems: env.integer('MAX_BATCH_ITEMS', DEFAULTS.maxBatchItems, { min: 1, max: 10_000 }),
    maxInFlight: env.integer('MAX_IN_FLIGHT', DEFAULTS.maxInFlight, { min: 1, max: 100_000 }),
    maxBodyBytesInFlight: env.integer('MAX_BODY_BYTES_IN_FLIGHT', DEFAULTS.maxBodyBytesInFlight, {
      min: MIB,
      max: 64 * 1_024 * MIB,
    }),
    shutdownLingerMs:
      env.integer('SHUTDOWN_LINGER_SECONDS', DEFAULTS.shutdownLingerSeconds, { min: 0, max: 300 }) * 1_000,
    isTraced: env.has('OTEL_EXPORTER_OTLP_ENDPOINT') || env.has('OTEL_EXPORTER_OTLP_TRACES_ENDPOINT'),
    shutdownDeadlineMs:
      env.integer('SHUTDOWN_DEADLINE_SECONDS', DEFAULTS.shutdownDeadlineSeconds, { min: 1, max: 3_600 }) *
      1_000,
    sessions: readSessions(env),
    leases: {
      checkMs: env.integer('LEASE_CHECK_SECONDS', 5, { min: 1, max: 300 }) * 1_000,
      maxDeliveries: env.integer('LEASE_MAX_DELIVERIES', 10, { min: 1, max: 1_000 }),
    },
    limits: readLimits(env, file),
    alertCheckMs: env.integer('ALERT_CHECK_SECONDS', 15, { min: 0, max: 300 }) * 1_000,
  };
  const largestBody = Math.max(config.maxBatchBytes, config.maxValueBytes);
  if (config.maxBodyBytesInFlight < largestBody) {
    env.fault({
      name: 'MAX_BODY_BYTES_IN_FLIGHT',
      got: `${config.maxBodyBytesInFlight}, less than a single body may have`,
      wanted: 'at least MAX_BATCH_BYTES and MAX_VALUE_BYTES',
      example: String(16 * largestBody),
    });
  }
  env.finish();
  return config;
}

/** The defaults are the page's 30 minutes, and NIST SP 800-63B's 12 hours. */
function readSessions(env: Env): ApiConfig['sessions'] {
  const year = 365 * 86_400;
  return {
    idleMs: env.integer('SESSION_IDLE_SECONDS', 1_800, { min: 1, max: year }) * 1_000,
    absoluteMs: env.integer('SESSION_MAX_SECONDS', 43_200, { min: 1, max: year }) * 1_000,
    maxPerUser: env.integer('SESSION_MAX_PER_USER', 100, { min: 1, max: 1_000 }),
  };
}
