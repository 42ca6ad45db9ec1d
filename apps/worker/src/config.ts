/** This file owns the worker's environment: read once, every fault in one message. */
import { isIP } from 'node:net';
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
import { DELIVERY_QUEUE } from '@sluice/delivery';
import { LOG_LEVELS, type LogLevel, parseDuration } from '@sluice/runtime';
import { type Network, parseNetwork } from './egress/address.ts';
import type { EgressOptions } from './egress/guard.ts';
import { isQueuePattern } from './queue-pattern.ts';

export interface ConcurrencyRule {
  pattern: string;
  attempts: number;
}

export interface RateRule {
  pattern: string;
  /** At most `max` attempts begun in each `durationMs`, by all workers of the queue that say the same. */
  max: number;
  durationMs: number;
}

export interface WorkerConfig {
  roles: RolesConfig;
  services: readonly ServiceConfig[];
  /** The installation's, as the API has it; `undefined`: the one in the data directory. */
  masterSecret: Secret | undefined;
  /** Values of `cache_local` services lie here. */
  dataDirectory: string;
  /** Bytes of a cached value, for services that set no bound of their own; as the API's. */
  maxValueBytes: number;
  /** Names, or patterns with `*`; default every queue. */
  queues: readonly string[];
  /** How many of them this process serves at most; default 500, in a Cluster 50. */
  maxQueues: number;
  /** The first that matches a queue counts. */
  concurrency: readonly ConcurrencyRule[];
  /** The first that matches a queue counts; default none. */
  rates: readonly RateRule[];
  /** Folder of the users' own jobs. */
  processorsFolder: string | undefined;
  /** For jobs that name no timeout. */
  attemptTimeoutMs: number;
  health: { host: string; port: number };
  shutdownDeadlineMs: number;
  egress: EgressOptions;
  logLevel: LogLevel;
  /** Where to is read by OpenTelemetry itself. */
  isTraced: boolean;
}

const MIB = 1_048_576;
const DEFAULTS = {
  concurrency: 10,
  /** They wait for others; a host that does not answer holds a few of them. */
  deliveries: 200,
  attemptTimeoutMs: 3_600_000,
  healthHost: '127.0.0.1',
  healthPort: 8081,
  dataDirectory: '.sluice',
  maxValueBytes: MIB,
  shutdownDeadlineSeconds: 25,
} as const;
const HOST_NAME = /^[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*$/;
/** A URL's host that ends in a number is an IPv4 address, in one notation or another (WHATWG URL, "ends in a number"). */
const IS_NUMBER = /(^|\.)(\d+|0x[\da-f]*)$/;
const MAX_CONCURRENCY = 1_000;
const MAX_RATE = 1_000_000;
const DAY_MS = 86_400_000;
const PERIODS_MS: Readonly<Record<string, number>> = {
  second: 1_000,
  minute: 60_000,
  hour: 3_600_000,
  day: DAY_MS,
};
const MAX_ATTEMPT_TIMEOUT_MS = 7 * 86_400_000;

/** Throws `ConfigError` with every fault. */
export function readConfig(variables: EnvironmentVariables): WorkerConfig {
  const env = new Env(variables);
  const roles = readRoles(env);
  const config: WorkerConfig = {
    roles,
    services: parseServices({ ...readServicesText(env), env, roles }),
    masterSecret: env.secret('SLUICE_SECRET', { minLength: 32 }),
    dataDirectory: env.text('SLUICE_DATA_DIR', DEFAULTS.dataDirectory),
    maxValueBytes: env.integer('MAX_VALUE_BYTES', DEFAULTS.maxValueBytes, { min: 1_024, max: 512 * MIB }),
    queues: readQueues(env),
    maxQueues: env.integer('WORKER_MAX_QUEUES', DEFAULT_MAX_QUEUES[roles.redis.queue.kind], {
      min: 1,
      max: 10_000,
    }),
    concurrency: readConcurrency(env),
    rates: readRates(env),
    processorsFolder: env.text('WORKER_PROCESSORS', undefined),
    attemptTimeoutMs: readAttemptTimeout(env),
    health: {
      host: env.text('WORKER_HEALTH_HOST', DEFAULTS.healthHost, {
        pattern: /^[\w.:-]{1,253}$/,
        wanted: 'an address to listen at',
        example: '0.0.0.0',
      }),
      port: env.integer('WORKER_HEALTH_PORT', DEFAULTS.healthPort, { min: 0, max: 65_535 }),
    },
    shutdownDeadlineMs:
      env.integer('SHUTDOWN_DEADLINE_SECONDS', DEFAULTS.shutdownDeadlineSeconds, { min: 0, max: 3_600 }) *
      1_000,
    egress: readEgress(env),
    logLevel: env.oneOf('LOG_LEVEL', LOG_LEVELS, 'info'),
    isTraced: env.has('OTEL_EXPORTER_OTLP_ENDPOINT') || env.has('OTEL_EXPORTER_OTLP_TRACES_ENDPOINT'),
  };
  env.finish();
  return config;
}

/**
 * Each queue holds two connections to Redis of its own; in a Cluster four or five, made anew when a
 * master fails over.
 */
const DEFAULT_MAX_QUEUES = { standalone: 500, sentinel: 500, cluster: 50 } as const;

/** Jobs of `pull-…` wait for workers outside, which lease them. */
const DEFAULT_QUEUES = ['*', '!pull-*'];

function readQueues(env: Env): string[] {
  const patterns = env.list('WORKER_QUEUES');
  for (const pattern of patterns) {
    if (isQueuePattern(pattern.replace(/^!/, ''))) continue;
    env.fault({
      name: 'WORKER_QUEUES',
      got: `'${pattern}'`,
      wanted:
        'a comma list of queue names (letters, digits, - and _), * for any characters, ! to leave some out',
      example: 'WORKER_QUEUES=emails,reports-*,!reports-daily',
    });
  }
  if (patterns.length === 0) return DEFAULT_QUEUES;
  return patterns.every((pattern) => pattern.startsWith('!')) ? ['*', ...patterns] : patterns;
}

/** `20`, or `emails=2,reports-*=1,*=20`. */
function readConcurrency(env: Env): ConcurrencyRule[] {
  const rules: ConcurrencyRule[] = [];
  for (const entry of env.list('WORKER_CONCURRENCY')) {
    const match = /^(?:([^=]+)=)?(\d{1,4})$/.exec(entry);
    const pattern = match?.[1]?.trim() ?? '*';
    const attempts = Number(match?.[2]);
    if (!match || !isQueuePattern(pattern) || attempts < 1 || attempts > MAX_CONCURRENCY) {
      env.fault({
        name: 'WORKER_CONCURRENCY',
        got: `'${entry}'`,
        wanted: `a number from 1 to ${MAX_CONCURRENCY}, or a comma list of queue=number`,
        example: 'WORKER_CONCURRENCY=emails=2,*=20',
      });
      continue;
    }
    rules.push({ pattern, attempts });
  }
  return [
    ...rules,
    { pattern: DELIVERY_QUEUE, attempts: DEFAULTS.deliveries },
    { pattern: '*', attempts: DEFAULTS.concurrency },
  ];
}

/** `100/minute`, or `emails=100/minute,reports-*=5/10s`. */
function readRates(env: Env): RateRule[] {
  return env.list('WORKER_RATE').flatMap((entry) => {
    const match = /^(?:([^=]+)=)?(\d{1,7})\/(\w+)$/.exec(entry);
    const pattern = match?.[1]?.trim() ?? '*';
    const max = Number(match?.[2]);
    const period = match?.[3] ?? '';
    const durationMs = PERIODS_MS[period] ?? parseDuration(period) ?? 0;
    const isInRange = max >= 1 && max <= MAX_RATE && durationMs >= 1 && durationMs <= DAY_MS;
    if (isInRange && isQueuePattern(pattern)) return [{ pattern, max, durationMs }];
    env.fault({
      name: 'WORKER_RATE',
      got: `'${entry}'`,
      wanted: `a number from 1 to ${MAX_RATE} per second, minute, hour, day or duration up to 1d, or a comma list of queue=rate`,
      example: 'WORKER_RATE=emails=100/minute,reports-*=5/10s',
    });
    return [];
  });
}

function readAttemptTimeout(env: Env): number {
  const found = env.raw('WORKER_ATTEMPT_TIMEOUT');
  if (!found) return DEFAULTS.attemptTimeoutMs;
  const timeoutMs = parseDuration(found.value);
  if (timeoutMs !== undefined && timeoutMs >= 1 && timeoutMs <= MAX_ATTEMPT_TIMEOUT_MS) return timeoutMs;
  env.fault({
    name: found.name,
    got: `'${found.value}'`,
    wanted: 'a duration up to 7d',
    example: `${found.name}=15m`,
  });
  return DEFAULTS.attemptTimeoutMs;
}

function readEgress(env: Env): EgressOptions {
  const networks: Network[] = [];
  const hosts: string[] = [];
  for (const entry of env.list('EGRESS_ALLOW')) {
    const network = parseNetwork(entry);
    const host = entry.toLowerCase().replace(/\.$/, '');
    if (network) networks.push(network);
    else if (HOST_NAME.test(host) && !IS_NUMBER.test(host)) hosts.push(host);
    else {
      env.fault({
        name: 'EGRESS_ALLOW',
        got: `'${entry}'`,
        wanted: 'a comma list of networks and host names, without scheme or port',
        example: 'EGRESS_ALLOW=10.1.0.0/16,fd00:1::/64,billing.internal',
      });
    }
  }
  return { allowance: { networks, hosts, ports: readPorts(env) }, names: { servers: readDnsServers(env) } };
}

function readPorts(env: Env): number[] {
  return env.list('EGRESS_PORTS').flatMap((entry) => {
    const port = /^\d{1,5}$/.test(entry) ? Number(entry) : 0;
    if (port >= 1 && port <= 65_535) return [port];
    env.fault({
      name: 'EGRESS_PORTS',
      got: `'${entry}'`,
      wanted: 'a comma list of ports',
      example: 'EGRESS_PORTS=9443',
    });
    return [];
  });
}

function readDnsServers(env: Env): string[] {
  return env.list('EGRESS_DNS').filter((entry) => {
    const match = /^(?:\[([\da-fA-F:]+)\]|([\d.]+))(?::\d{1,5})?$/.exec(entry);
    if (isIP(entry) !== 0 || isIP(match?.[1] ?? match?.[2] ?? '') !== 0) return true;
    env.fault({
      name: 'EGRESS_DNS',
      got: `'${entry}'`,
      wanted: 'a comma list of addresses of DNS servers, each with or without a port',
      example: 'EGRESS_DNS=10.0.0.2,[fd00::53]:5353',
    });
    return false;
  });
}
