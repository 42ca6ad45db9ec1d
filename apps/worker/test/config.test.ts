import { ConfigError } from '@sluice/config';
import { expect, test } from 'vitest';
import { readConfig } from '../src/config.ts';

/** The faults of these variables by name. */
function faults(variables: Record<string, string>): Record<string, string> {
  try {
    readConfig(variables);
  } catch (error) {
    if (error instanceof ConfigError)
      return Object.fromEntries(error.faults.map(({ name, got }) => [name, got]));
    throw error;
  }
  return {};
}

test('needs nothing said', () => {
  const { roles: _, services, ...config } = readConfig({});

  expect(services.map(({ name }) => name)).toEqual(['redis']);
  expect(config).toEqual({
    isTraced: false,
    dataDirectory: '.sluice',
    maxValueBytes: 1_048_576,
    queues: ['*', '!pull-*'],
    maxQueues: 500,
    masterSecret: undefined,
    concurrency: [
      { pattern: 'deliveries', attempts: 200 },
      { pattern: '*', attempts: 10 },
    ],
    rates: [],
    processorsFolder: undefined,
    attemptTimeoutMs: 3_600_000,
    health: { host: '127.0.0.1', port: 8081 },
    shutdownDeadlineMs: 25_000,
    egress: { allowance: { networks: [], hosts: [], ports: [] }, names: { servers: [] } },
    logLevel: 'info',
  });
});

test('reads what is said', () => {
  const config = readConfig({
    WORKER_QUEUES: 'emails, reports-*',
    WORKER_CONCURRENCY: 'emails=2, 20',
    WORKER_RATE: 'emails=100/minute, reports-*=5/10s, 9/second',
    WORKER_PROCESSORS: './jobs',
    WORKER_ATTEMPT_TIMEOUT: '15m',
    WORKER_HEALTH_HOST: '0.0.0.0',
    WORKER_HEALTH_PORT: '0',
    SHUTDOWN_DEADLINE_SECONDS: '5',
    EGRESS_ALLOW: '10.1.0.0/16,127.0.0.1,fd00:1::/64,Billing.Internal.,redis',
    EGRESS_PORTS: '9443',
    EGRESS_DNS: '10.0.0.2,127.0.0.1:5353,[fd00::53]:53,fd00::54',
    LOG_LEVEL: 'warn',
  });

  expect(config).toMatchObject({
    queues: ['emails', 'reports-*'],
    concurrency: [
      { pattern: 'emails', attempts: 2 },
      { pattern: '*', attempts: 20 },
      { pattern: 'deliveries', attempts: 200 },
      { pattern: '*', attempts: 10 },
    ],
    rates: [
      { pattern: 'emails', max: 100, durationMs: 60_000 },
      { pattern: 'reports-*', max: 5, durationMs: 10_000 },
      { pattern: '*', max: 9, durationMs: 1_000 },
    ],
    processorsFolder: './jobs',
    attemptTimeoutMs: 900_000,
    health: { host: '0.0.0.0', port: 0 },
    shutdownDeadlineMs: 5_000,
    logLevel: 'warn',
  });
  expect(config.egress.allowance.hosts).toEqual(['billing.internal', 'redis']);
  expect(config.egress.allowance.networks.map(([address, bits]) => `${address}/${bits}`)).toEqual([
    '10.1.0.0/16',
    '127.0.0.1/32',
    'fd00:1::/64',
  ]);
  expect(config.egress.allowance.ports).toEqual([9443]);
  expect(config.egress.names).toEqual({
    servers: ['10.0.0.2', '127.0.0.1:5353', '[fd00::53]:53', 'fd00::54'],
  });
});

test('tells every fault at once', () => {
  expect(
    faults({
      REDIS_PORT: 'many',
      WORKER_QUEUES: 'a b',
      WORKER_CONCURRENCY: 'emails=0',
      WORKER_RATE: 'emails=5/2d',
      WORKER_ATTEMPT_TIMEOUT: '15',
      WORKER_HEALTH_PORT: '99999',
      SHUTDOWN_DEADLINE_SECONDS: 'soon',
      EGRESS_ALLOW: 'http://10.0.0.1',
      EGRESS_PORTS: '0',
      EGRESS_DNS: 'dns.example',
      SLUICE_CONFIG: '/nowhere/sluice.config.json',
      LOG_LEVEL: 'loud',
    }),
  ).toEqual({
    REDIS_PORT: "'many'",
    WORKER_QUEUES: "'a b'",
    WORKER_CONCURRENCY: "'emails=0'",
    WORKER_RATE: "'emails=5/2d'",
    WORKER_ATTEMPT_TIMEOUT: "'15'",
    WORKER_HEALTH_PORT: "'99999'",
    SHUTDOWN_DEADLINE_SECONDS: "'soon'",
    EGRESS_ALLOW: "'http://10.0.0.1'",
    EGRESS_PORTS: "'0'",
    EGRESS_DNS: "'dns.example'",
    SLUICE_CONFIG: "'/nowhere/sluice.config.json' (ENOENT)",
    LOG_LEVEL: "'loud'",
  });
});

test.for([
  '10.0.0.0/33',
  '10.0.0',
  '0x7f000001',
  '127.1',
  'host:80',
  '*.example.com',
  '-a',
  'a..b',
  '10.0.0.300',
])("does not take '%s' for a network or a host name", (entry) => {
  expect(Object.keys(faults({ EGRESS_ALLOW: entry }))).toEqual(['EGRESS_ALLOW']);
});

test('serves fewer queues in a Cluster, and as many as it is told', () => {
  const inCluster = { REDIS_CLUSTER_NODES: 'one:6379' };

  expect(readConfig(inCluster).maxQueues).toBe(50);
  expect(readConfig({ ...inCluster, WORKER_MAX_QUEUES: '7' }).maxQueues).toBe(7);
  expect(faults({ WORKER_MAX_QUEUES: '0' })).toEqual({ WORKER_MAX_QUEUES: "'0'" });
});
