import { execFile } from 'node:child_process';
import { mkdir, readFile, rm, symlink, unlink, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { keyspace, Secret } from '@sluice/config';
import type { Redis } from '@sluice/redis';
import { freePort, type TestServer, testCluster, testSentinel, testServer } from '@sluice/redis/testing';
import { deriveSecret } from '@sluice/runtime';
import { Registry, recordedServices } from '@sluice/system';
import { describe, expect, type TestContext, test } from 'vitest';
import { readDoctorConfig } from '../src/config.ts';
import { CHECK_IDS } from '../src/doctor/catalog.ts';
import type { Finding } from '../src/doctor/finding.ts';
import type { Report } from '../src/doctor/report.ts';
import { runProgram } from '../src/program.ts';
import { dataDirectory } from './sluice.ts';

const PASSWORD = 'canary-of-the-password';
const ON_REDIS = { CACHE_DRIVER: 'redis', SESSION_DRIVER: 'redis' };
const DOCS = resolve(import.meta.dirname, '../../../docs/doctor.md');

/** As the published page would have it, with the policy that the role needs. */
const GOOD = (policy: string) => [
  `requirepass ${PASSWORD}`,
  'maxmemory 256mb',
  `maxmemory-policy ${policy}`,
  'save 900 1 300 10 60 10000',
  'appendonly yes',
  'appendfsync everysec',
  'rename-command FLUSHDB ""',
  'rename-command FLUSHALL ""',
  'rename-command DEBUG ""',
];
const ENTRY = { config: { password: new Secret(PASSWORD) } };

describe('a good set-up', () => {
  test('comes to status 0: nothing is wrong, nothing unknown', async (t) => {
    const queue = await testServer(t, { settings: GOOD('noeviction'), ...ENTRY });
    const cache = await testServer(t, { settings: GOOD('allkeys-lru'), ...ENTRY });

    const { status, findings, stdout } = await doctor(t, {
      ...at(queue),
      CACHE_HOST: '127.0.0.1',
      CACHE_PORT: String(cache.port),
      REDIS_PASSWORD: PASSWORD,
    });

    expect(findings.filter(({ severity }) => severity !== 'ok' && severity !== 'info')).toEqual([]);
    expect(status).toBe(0);
    expect(new Set(findings.map(({ role }) => role))).toEqual(
      new Set(['setup', 'cache', 'queue', 'session', 'limit', 'channel']),
    );
    expect(stdout).not.toContain(PASSWORD);
  });

  test('is looked at once, whatever number of roles it has, and nothing is left in it', async (t) => {
    const server = await testServer(t, { settings: GOOD('noeviction'), ...ENTRY });

    await doctor(t, { ...at(server), REDIS_PASSWORD: PASSWORD });

    const client = server.connect('worker') as Redis;
    expect(await client.info('commandstats')).toMatch(/cmdstat_slowlog\|len:calls=1,/);
    expect(await client.dbsize()).toBe(0);
  });

  test('lets a user in who may do what docs/doctor.md grants, and no more', async (t) => {
    const acl = /^user sluice .*$/m.exec(await readFile(DOCS, 'utf8'))?.[0] as string;
    const server = await testServer(t, {
      settings: [...GOOD('noeviction'), acl.replace('>PASSWORD', `>${PASSWORD}`)],
      ...ENTRY,
    });

    const { findings } = await doctor(t, {
      ...at(server),
      REDIS_USERNAME: 'sluice',
      REDIS_PASSWORD: PASSWORD,
    });

    expect(findings.filter(({ severity }) => severity === 'unknown' || severity === 'error')).toEqual([]);
    expect(only(findings, 'security.user', 'queue')).toMatchObject({
      severity: 'ok',
      evidence: "we are 'sluice'",
    });
  });
});

describe('security', () => {
  test('warns of a Redis without a password, and of commands that empty it', async (t) => {
    const server = await testServer(t);

    const { status, findings } = await doctor(t, { ...at(server), REDIS_PREFIX: 'shop' });

    expect(only(findings, 'security.password', 'queue')).toEqual({
      id: 'security.password',
      role: 'queue',
      redis: `127.0.0.1:${server.port}/0`,
      node: null,
      severity: 'warning',
      evidence: `127.0.0.1:${server.port} answers a stranger's PING, from this machine alone`,
      why: 'Whoever reaches the port reads every value and session, and may empty it.',
      fix: `redis-cli -h 127.0.0.1 -p ${server.port} CONFIG SET requirepass "$(openssl rand -hex 32)"   # then the same as REDIS_PASSWORD`,
      page: 'Security: Require authentication',
    });
    expect(only(findings, 'security.dangerous-commands', 'queue')).toMatchObject({
      severity: 'warning',
      evidence: 'our user may run FLUSHDB, FLUSHALL, DEBUG',
      fix: expect.stringContaining('ACL SETUSER default -flushdb -flushall -debug && redis-cli '),
    });
    // No append-only file and no snapshots.
    expect(only(findings, 'persistence.aof', 'queue')).toMatchObject({ severity: 'error' });
    expect(only(findings, 'persistence.aof', 'cache')).toMatchObject({ severity: 'ok' });
    expect(status).toBe(2);
  });

  test('calls an open door that every address leads to an error', async (t) => {
    const server = await testServer(t, { settings: ['protected-mode no', 'bind * -::*'] });

    const { findings } = await doctor(t, at(server));

    expect(only(findings, 'security.bind', 'limit')).toMatchObject({
      severity: 'warning',
      evidence: 'bind * -::*',
    });
    expect(only(findings, 'security.protected-mode', 'limit')).toMatchObject({ severity: 'error' });
  });

  test('says unknown, and never ok, of what a read-only user may not ask, and error of what he may not do', async (t) => {
    const reader = `user reader on >${PASSWORD} ~* &* +@read +@connection -client|list +ping +time`;
    const server = await testServer(t, { settings: [...GOOD('noeviction'), reader], ...ENTRY });

    const { status, findings, stdout } = await doctor(t, {
      ...at(server),
      REDIS_USERNAME: 'reader',
      REDIS_PASSWORD: PASSWORD,
    });

    expect(only(findings, 'commands.write', 'cache')).toMatchObject({
      severity: 'error',
      evidence: expect.stringContaining('NOPERM'),
      fix: 'redis-cli ACL SETUSER reader +@read +@write +@keyspace && redis-cli ACL SAVE',
    });
    expect(only(findings, 'commands.scan', 'cache')).toMatchObject({ severity: 'ok' });
    for (const id of ['commands.script', 'commands.types', 'commands.blocking', 'commands.transaction'])
      expect(only(findings, id, 'queue'), id).toMatchObject({ severity: 'error' });
    const asked =
      /^(memory|persistence|replication)\.|^clients\.|^server\.(version|slowlog|log)|^security\.(bind|prot|user)/;
    const told = findings.filter(({ id }) => asked.test(id) && id !== 'memory.sharing');
    expect(new Set(told.map(({ severity }) => severity))).toEqual(new Set(['unknown']));
    expect(status).toBe(2);
    expect(stdout).not.toContain(PASSWORD);
  });
});

describe('TLS', () => {
  test('is told by whether the certificate is trusted', async (t) => {
    const directory = await dataDirectory(t);
    const [key, certificate] = [join(directory, 'key.pem'), join(directory, 'cert.pem')];
    const words =
      'req -x509 -days 1 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=localhost';
    const files = ['-addext', 'subjectAltName=DNS:localhost', '-keyout', key, '-out', certificate];
    await promisify(execFile)('openssl', [...words.split(' '), ...files]);
    const port = String(await freePort());
    const tls = [`tls-port ${port}`, `tls-cert-file ${certificate}`, `tls-key-file ${key}`];
    const settings = [...tls, `tls-ca-cert-file ${certificate}`, 'tls-auth-clients no'];
    await testServer(t, { settings: [...GOOD('noeviction'), ...settings], ...ENTRY });
    const variables = { REDIS_HOST: '127.0.0.1', REDIS_PORT: port, REDIS_PASSWORD: PASSWORD };
    const trusting = { REDIS_TLS_CA: certificate, REDIS_TLS_SERVERNAME: 'localhost' };

    const stranger = await doctor(t, { ...variables, REDIS_TLS: 'true', REDIS_TLS_SERVERNAME: 'localhost' });
    const trusted = await doctor(t, { ...variables, ...trusting });
    const plain = await doctor(t, variables);

    expect(only(stranger.findings, 'reach.port', 'queue')).toMatchObject({
      severity: 'error',
      evidence: `127.0.0.1:${port}: self-signed certificate`,
      fix: `redis-cli -h 127.0.0.1 -p ${port} --tls --askpass PING`,
    });
    expect(only(trusted.findings, 'security.tls', 'queue')).toMatchObject({ severity: 'ok' });
    expect(only(trusted.findings, 'security.password', 'queue')).toMatchObject({ severity: 'ok' });
    expect(only(trusted.findings, 'commands.pubsub', 'channel')).toMatchObject({ severity: 'ok' });
    expect(only(plain.findings, 'reach.ping', 'queue')).toMatchObject({ severity: 'error' });
  });
});

describe('memory', () => {
  test('calls an eviction policy right for a cache and ruinous for the queue beside it', async (t) => {
    const server = await testServer(t, { settings: GOOD('allkeys-lru'), ...ENTRY });

    const { status, findings } = await doctor(t, { ...at(server), REDIS_PASSWORD: PASSWORD });

    const policies = findings.filter(({ id }) => id === 'memory.policy');
    expect(policies.map(({ role, severity, fix }) => [role, severity, fix])).toEqual([
      ['cache', 'ok', null],
      ['queue', 'error', 'QUEUE_HOST=redis-queue.internal'],
      ['session', 'error', 'SESSION_HOST=redis-session.internal'],
      ['limit', 'warning', 'LIMIT_HOST=redis-limit.internal'],
      ['channel', 'warning', 'CHANNEL_HOST=redis-channel.internal'],
    ]);
    expect(status).toBe(2);
  });

  test('sees that two database numbers are one server', async (t) => {
    const server = await testServer(t, { settings: GOOD('noeviction'), ...ENTRY });

    const { findings } = await doctor(t, {
      ...at(server),
      REDIS_PASSWORD: PASSWORD,
      CACHE_HOST: 'localhost',
      CACHE_PORT: String(server.port),
      CACHE_DATABASE: '3',
    });

    expect(only(findings, 'memory.sharing', 'cache')).toMatchObject({
      redis: `localhost:${server.port}/3`,
      evidence: 'the cache shares its server with queue, session, limit, channel',
      fix: 'CACHE_HOST=redis-cache.internal',
    });
    expect(only(findings, 'memory.policy', 'cache')).toMatchObject({
      severity: 'warning',
      fix: 'CACHE_HOST=redis-cache.internal',
    });
  });

  test('counts evictions: an error for jobs, a warning for cached values', async (t) => {
    const server = await testServer(t, { settings: [...GOOD('allkeys-lru'), 'maxmemory 8mb'], ...ENTRY });
    const client = server.connect('worker') as Redis;
    const evictions = async () => Number(/evicted_keys:(\d+)/.exec(await client.info('stats'))?.[1]);
    for (let key = 0; (await evictions()) === 0; key += 1) await client.set(`k${key}`, 'x'.repeat(500_000));

    const { findings } = await doctor(t, { ...at(server), REDIS_PASSWORD: PASSWORD });

    expect(only(findings, 'memory.evicted', 'queue')).toMatchObject({
      severity: 'error',
      evidence: expect.stringMatching(/^[1-9]\d* keys evicted since the start \d+ s ago$/),
    });
    expect(only(findings, 'memory.evicted', 'cache')).toMatchObject({ severity: 'warning' });
  });

  test('warns above 80 % of maxmemory', async (t) => {
    const server = await testServer(t, { settings: GOOD('noeviction'), ...ENTRY });
    const client = server.connect('worker') as Redis;
    // Made by Redis itself: a value that is sent is in memory twice for a while.
    await client.setrange('large', 40_000_000, 'x');
    const used = Number(/used_memory:(\d+)/.exec(await client.info('memory'))?.[1]);
    await client.config('SET', 'maxmemory', String(Math.round(used / 0.87)));

    const { findings } = await doctor(t, { ...at(server), REDIS_PASSWORD: PASSWORD });

    expect(only(findings, 'memory.used', 'queue')).toMatchObject({
      severity: 'warning',
      evidence: expect.stringMatching(/ in use, 8\d(\.\d)? % of maxmemory \(/),
      fix: expect.stringContaining('CONFIG SET maxmemory '),
    });
  });

  test('warns of a cache that misses most of the time', async (t) => {
    const server = await testServer(t, { settings: GOOD('allkeys-lru'), ...ENTRY });
    const client = server.connect('worker') as Redis;
    const pipeline = client.pipeline();
    for (let index = 0; index < 1_500; index += 1) pipeline.get('absent');
    await pipeline.exec();

    const { findings } = await doctor(t, { ...at(server), REDIS_PASSWORD: PASSWORD });

    expect(only(findings, 'memory.hit-ratio', 'cache')).toMatchObject({
      severity: 'warning',
      evidence: expect.stringMatching(/^0(\.\d)? % of 1\d{3} look-ups were hits \(with those of queue, /),
    });
  });
});

describe('persistence', () => {
  test('finds an append-only file that cannot be written, and that writes are refused for it', async (t) => {
    const server = await testServer(t, { settings: GOOD('noeviction'), ...ENTRY });
    const [, folder] = (await (server.connect('worker') as Redis).config('GET', 'dir')) as [string, string];
    await server.stop();
    const file = join(folder, 'appendonlydir', 'appendonly.aof.1.incr.aof');
    await unlink(file);
    await symlink('/dev/full', file);
    await server.start();
    const client = server.connect('worker') as Redis;
    // A client of this profile waits until writes are taken again.
    void client.set('key', 'x').catch(() => undefined);
    await expect.poll(() => client.info('persistence')).toContain('aof_last_write_status:err');

    const { status, findings } = await doctor(t, { ...at(server), REDIS_PASSWORD: PASSWORD });

    expect(only(findings, 'persistence.aof-writes', 'queue')).toMatchObject({
      severity: 'error',
      evidence: expect.stringContaining('aof_last_write_status err'),
      fix: expect.stringContaining('--askpass BGREWRITEAOF'),
    });
    expect(only(findings, 'commands.write', 'queue')).toMatchObject({
      severity: 'error',
      evidence: expect.stringContaining('MISCONF'),
    });
    expect(status).toBe(2);
  });

  test('finds a snapshot that failed', async (t) => {
    const server = await testServer(t, { settings: ['save 900 1'] });
    const client = server.connect('worker') as Redis;
    const [, folder] = (await client.config('GET', 'dir')) as [string, string];
    await client.set('key', 'x');
    await rm(folder, { recursive: true });
    await client.bgsave();
    await expect.poll(() => client.info('persistence')).toContain('rdb_last_bgsave_status:err');

    const { findings } = await doctor(t, at(server));

    expect(only(findings, 'persistence.snapshot-writes', 'session')).toMatchObject({
      severity: 'error',
      evidence: 'rdb_last_bgsave_status err',
    });
  });
});

describe('high availability', () => {
  test('says that it is a replica, of whom, and tries no writes there', async (t) => {
    const master = await testServer(t, { settings: ['save ""', 'repl-diskless-sync-delay 0'] });
    const replica = await testServer(t, { settings: ['save ""', `replicaof 127.0.0.1 ${master.port}`] });
    const client = replica.connect('worker') as Redis;
    await expect
      .poll(() => client.info('replication'), { timeout: 10_000 })
      .toContain('master_link_status:up');

    const { status, findings } = await doctor(t, at(replica));

    expect(only(findings, 'replication.role', 'queue')).toMatchObject({
      severity: 'error',
      evidence: `a replica of 127.0.0.1:${master.port}, whose link is up`,
      fix: expect.stringContaining(`REDIS_HOST=127.0.0.1 REDIS_PORT=${master.port}`),
    });
    expect(findings.filter(({ id }) => id.startsWith('commands.'))).toEqual([]);
    expect(status).toBe(2);
  });

  test('asks Sentinels whether a failover would come about', { timeout: 30_000 }, async (t) => {
    const { master, sentinel } = await testSentinel(t);
    const variables = {
      REDIS_SENTINEL_HOST: '127.0.0.1',
      REDIS_SENTINEL_PORT: String(sentinel.port),
      REDIS_SENTINEL_MASTER: 'main',
    };
    await expect
      .poll(() => (master.connect('worker') as Redis).info('replication'))
      .toContain('connected_slaves:1');
    // A Sentinel asks every ten seconds.
    const watched = sentinel.connect('worker');
    await expect
      .poll(async () => String(await watched.call('SENTINEL', 'REPLICAS', 'main')), { timeout: 15_000 })
      .toContain('master-link-status,ok');

    const { findings: before } = await doctor(t, variables);
    await sentinel.connect('worker').call('SENTINEL', 'SET', 'main', 'quorum', '2');
    const { findings: after, status } = await doctor(t, variables);

    expect(only(before, 'sentinel.quorum', 'queue')).toMatchObject({ severity: 'ok' });
    expect(only(before, 'sentinel.replicas', 'queue')).toMatchObject({
      severity: 'ok',
      evidence: `127.0.0.1:${sentinel.port}: 1 of 1 replicas are fit to be promoted`,
    });
    expect(only(before, 'sentinel.count', 'queue')).toMatchObject({ severity: 'warning' });
    expect(only(before, 'replication.role', 'queue')).toMatchObject({
      severity: 'ok',
      node: `127.0.0.1:${master.port}`,
    });
    expect(only(before, 'replication.min-replicas', 'queue')).toMatchObject({ severity: 'warning' });
    expect(only(after, 'sentinel.quorum', 'queue')).toMatchObject({
      severity: 'error',
      evidence: expect.stringContaining('NOQUORUM'),
      fix: `redis-cli -h 127.0.0.1 -p ${sentinel.port} SENTINEL CKQUORUM main`,
    });
    expect(status).toBe(2);
  });

  test('enters Sentinels with a password of their own', async (t) => {
    const { master, sentinel } = await testSentinel(t);
    const variables = {
      REDIS_SENTINEL_HOST: `127.0.0.1:${sentinel.port}`,
      REDIS_SENTINEL_MASTER: 'main',
      REDIS_SENTINEL_PASSWORD: PASSWORD,
    };
    await sentinel
      .connect('worker')
      .call('CONFIG', 'SET', 'requirepass', PASSWORD)
      .catch(() => undefined);
    await sentinel.connect('worker').call('ACL', 'SETUSER', 'default', 'resetpass', `>${PASSWORD}`);

    const { findings, stdout } = await doctor(t, variables);

    expect(only(findings, 'sentinel.agreement', 'limit')).toMatchObject({
      severity: 'ok',
      evidence: `the master is 127.0.0.1:${master.port}`,
    });
    expect(only(findings, 'reach.ping', 'limit')).toMatchObject({ severity: 'ok' });
    expect(stdout).not.toContain(PASSWORD);
  });

  test('looks at every master of a Cluster', { timeout: 30_000 }, async (t) => {
    const { servers } = await testCluster(t);
    const ports = servers.map(({ port }) => port);
    const nodes = ports.map((port) => `127.0.0.1:${port}`);

    const { findings } = await doctor(t, { REDIS_CLUSTER_NODES: nodes.join(',') });
    const single = await doctor(t, { REDIS_HOST: '127.0.0.1', REDIS_PORT: String(ports[0]) });

    expect(findings.filter(({ severity }) => severity === 'unknown')).toEqual([]);
    expect(
      findings
        .filter(({ id, role }) => id === 'memory.limit' && role === 'cache')
        .map(({ node }) => node)
        .sort(),
    ).toEqual([...nodes].sort());
    expect(only(findings, 'cluster.state', 'queue')).toMatchObject({
      severity: 'ok',
      evidence: 'cluster_state ok, 16384 of 16384 slots served, 0 failing',
    });
    expect(only(findings, 'cluster.nodes', 'queue')).toMatchObject({
      severity: 'warning',
      evidence: '3 masters, 0 replicas, 0 failing, 3 masters without a replica',
    });
    for (const id of ['commands.types', 'commands.blocking', 'commands.transaction'])
      expect(only(findings, id, 'queue'), id).toMatchObject({ severity: 'ok' });
    expect(only(findings, 'commands.pubsub', 'channel')).toMatchObject({ severity: 'ok' });
    expect(only(single.findings, 'cluster.mode', 'queue')).toMatchObject({
      severity: 'error',
      fix: `REDIS_CLUSTER_NODES=127.0.0.1:${ports[0]}`,
    });
  });
});

describe('connections', () => {
  test('warns above 80 % of maxclients, and of idle connections that are closed', async (t) => {
    const server = await testServer(t, { settings: ['maxclients 20', 'timeout 30'] });
    for (let count = 0; count < 16; count += 1) await server.connect('worker').ping();

    const { findings } = await doctor(t, at(server));

    expect(only(findings, 'clients.used', 'queue')).toMatchObject({
      severity: 'warning',
      evidence: expect.stringMatching(/^1[789] connected, (85|90|95) % of maxclients 20$/),
    });
    expect(only(findings, 'clients.list', 'queue')).toMatchObject({
      evidence: expect.stringMatching(/^1\d connected, 1\d of them ours$/),
    });
    expect(only(findings, 'clients.timeout', 'queue')).toMatchObject({ severity: 'warning' });
  });
});

describe('a Redis that one does not get to', () => {
  test('that nobody listens for is told as on the published page', async (t) => {
    const port = await freePort();

    const { status, findings } = await doctor(t, { REDIS_HOST: '127.0.0.1', REDIS_PORT: String(port) });

    expect(only(findings, 'reach.port', 'session')).toMatchObject({
      severity: 'error',
      evidence: `127.0.0.1:${port}: connect ECONNREFUSED 127.0.0.1:${port}`,
      fix: `redis-cli -h 127.0.0.1 -p ${port} PING`,
    });
    expect(status).toBe(2);
  });

  test('and is silent costs no more than ten seconds', async (t) => {
    const server = await testServer(t);
    server.pause();
    t.onTestFinished(() => server.resume());
    const startedAt = performance.now();

    const { findings } = await doctor(t, at(server));

    expect(performance.now() - startedAt).toBeLessThan(10_000);
    expect(only(findings, 'reach.ping', 'queue')).toMatchObject({
      severity: 'error',
      evidence: 'not answered within 2000 ms',
    });
  });

  test.for([
    { given: {}, says: /^no password is configured: NOAUTH / },
    { given: { REDIS_PASSWORD: 'wrong-canary' }, says: /^the password that is configured is refused: / },
  ])('for want of the right password ($given)', async ({ given, says }, t) => {
    const server = await testServer(t, { settings: GOOD('noeviction'), ...ENTRY });

    const { status, findings, stdout } = await doctor(t, { ...at(server), ...given });

    expect(only(findings, 'reach.password', 'queue')).toMatchObject({
      severity: 'error',
      evidence: expect.stringMatching(says),
      fix: expect.stringMatching(/^REDIS_PASSWORD=/),
    });
    expect(stdout).not.toContain('wrong-canary');
    expect(status).toBe(2);
  });
});

describe('keys', () => {
  test('that should end and do not are counted, not named', async (t) => {
    const server = await testServer(t);
    const client = server.connect('worker');
    await client.set('dreamfactory:session:{u}:s:secret-id', 'x');
    await client.set('dreamfactory:session:{u}:s:other', 'x', 'EX', 60);

    const { findings, stdout } = await doctor(t, at(server));

    expect(only(findings, 'keys.ttl', 'session')).toMatchObject({
      severity: 'warning',
      evidence: '1 of 2 keys looked at have no TTL',
    });
    expect(stdout).not.toContain('secret-id');
  });

  test('of one service inside those of another are told', async (t) => {
    const server = await testServer(t);
    const directory = await dataDirectory(t);
    await mkdir(directory, { recursive: true });
    const file = join(directory, 'services.json');
    const service = (name: string, prefix: string) => ({
      name,
      type: 'cache_redis',
      config: { default_ttl: 0, options: { key_prefix: prefix } },
    });
    await writeFile(
      file,
      JSON.stringify({ services: [service('all', 'app:'), service('part', 'app:part:')] }),
    );

    const { findings } = await doctor(t, { ...at(server), SLUICE_CONFIG: file });

    expect(only(findings, 'keys.overlap', 'cache')).toMatchObject({
      severity: 'warning',
      evidence: "all ('app:') and part ('app:part:')",
    });
    expect(only(findings, 'keys.endless', 'cache')).toMatchObject({ evidence: 'default_ttl 0: all, part' });
  });
});

describe('services made at run time', () => {
  test('are examined where they keep their values; without the master secret they are unknown', async (t) => {
    const [queue, own] = [
      await testServer(t, { settings: GOOD('noeviction'), ...ENTRY }),
      await testServer(t, { settings: GOOD('noeviction'), ...ENTRY }),
    ];
    const secret = 'the-master-secret-of-this-test-alone';
    const variables = { ...at(queue), REDIS_PASSWORD: PASSWORD, CACHE_DRIVER: 'file' };
    const { roles } = readDoctorConfig(variables);
    const secrets = { secret: deriveSecret(Buffer.from(secret), 'system'), roles };
    const read = recordedServices(secrets).read({
      name: 'made',
      type: 'cache_redis',
      config: { host: '127.0.0.1', port: own.port, password: PASSWORD },
    });
    const registry = new Registry({
      client: queue.connect('worker'),
      keys: keyspace('dreamfactory', { isCluster: false }),
    });
    const body = 'body' in read ? read.body : expect.unreachable('the service is valid');
    await registry.change(
      [
        {
          kind: 'service',
          name: 'made',
          expected: 0,
          body,
          action: 'create',
          before: undefined,
          after: undefined,
        },
      ],
      { author: { kind: 'cli', id: null, label: 'test' }, requestId: null },
    );

    const known = await doctor(t, { ...variables, SLUICE_SECRET: secret });
    const sealed = await doctor(t, variables);

    expect(only(known.findings, 'setup.recorded-services', 'cache')).toMatchObject({
      severity: 'ok',
      evidence: 'made',
    });
    expect(only(known.findings, 'memory.policy', 'cache')).toMatchObject({
      redis: `127.0.0.1:${own.port}/0`,
      severity: 'warning',
    });
    expect(only(sealed.findings, 'setup.recorded-services', 'cache')).toMatchObject({ severity: 'unknown' });
    expect(known.stdout + sealed.stdout).not.toContain(PASSWORD);
  });
});

describe('the report', () => {
  test('tells every fault of the settings as a finding, without connecting', async (t) => {
    const { status, findings } = await doctor(t, { REDIS_PORT: 'http', REDIS_DATABASE: '99' });

    expect(findings.map(({ id, severity, evidence }) => ({ id, severity, evidence }))).toEqual([
      {
        id: 'setup.config',
        severity: 'error',
        evidence: "REDIS_DATABASE: got '99', wanted a whole number from 0 to 15",
      },
      {
        id: 'setup.config',
        severity: 'error',
        evidence: "REDIS_PORT: got 'http', wanted a whole number from 1 to 65535",
      },
    ]);
    expect(status).toBe(2);
  });

  test('is narrowed to one role, and to the Redis that it lives in', async (t) => {
    const server = await testServer(t, { settings: GOOD('noeviction'), ...ENTRY });

    const { status, findings } = await doctor(
      t,
      { ...at(server), REDIS_PASSWORD: PASSWORD, CACHE_HOST: '127.0.0.1', CACHE_PORT: '1' },
      '--role',
      'queue',
    );

    expect(new Set(findings.map(({ role }) => role))).toEqual(new Set(['setup', 'queue']));
    expect(status).toBe(0);
  });

  test('is aligned for people, the worst first, in colour on a terminal alone', async (t) => {
    const server = await testServer(t, { settings: GOOD('allkeys-lru'), ...ENTRY });
    const variables = { ...ON_REDIS, ...at(server), REDIS_PASSWORD: PASSWORD };

    const plain = await run(['doctor'], variables);
    const coloured = await run(['doctor'], variables, true);

    const lines = plain.stdout.split('\n');
    const from = lines.indexOf(`127.0.0.1:${server.port}/0`);
    expect(lines[from + 1]).toMatch(/^SEVERITY {2}CHECK +ROLES +EVIDENCE$/);
    const column = lines[from + 1]?.indexOf('EVIDENCE') as number;
    expect(lines[from + 2]?.slice(0, column)).toMatch(/^error +memory\.policy +queue +$/);
    expect(lines[from + 3]).toMatch(/^ {2}why {2}BullMQ keeps its promises under noeviction alone/);
    expect(lines[from + 4]).toBe('  fix  QUEUE_HOST=redis-queue.internal');
    expect(lines.at(-2)).toMatch(/^\d+ findings: 2 errors, \d+ warnings, /);
    expect(plain.stdout).not.toContain('\u001b');
    expect(coloured.stdout).toContain('\u001b[31merror\u001b[0m');
    expect(plain.status).toBe(2);
  });

  test('knows no check that docs/doctor.md does not list, and lists none that is not', async () => {
    const text = await readFile(DOCS, 'utf8');

    const listed = [...text.matchAll(/^\| `([a-z]+\.[a-z-]+)` \|/gm)].map(([, id]) => id);

    expect([...new Set(listed)].sort()).toEqual([...CHECK_IDS].sort());
  });
});

function at(server: TestServer): Record<string, string> {
  return { REDIS_HOST: '127.0.0.1', REDIS_PORT: String(server.port) };
}

/** The one finding; fails when there is none, or another. */
function only(findings: readonly Finding[], id: string, role: string): Finding | undefined {
  const found = findings.filter((finding) => finding.id === id && finding.role === role);
  expect(found, `${id} for ${role}`).toHaveLength(1);
  return found[0];
}

async function doctor(t: TestContext, variables: Record<string, string>, ...args: string[]) {
  const own = { ...ON_REDIS, SLUICE_DATA_DIR: await dataDirectory(t), ...variables };
  const { status, stdout, stderr } = await run(['doctor', '--json', ...args], own);
  expect(stderr).toBe('');
  const report = JSON.parse(stdout) as Report;
  expect(status).toBe(report.status);
  return { ...report, stdout };
}

async function run(args: readonly string[], variables: Record<string, string>, isTty = false) {
  const written = { stdout: '', stderr: '' };
  const status = await runProgram(args, {
    variables,
    isTty,
    out: (text) => {
      written.stdout += text;
    },
    err: (text) => {
      written.stderr += text;
    },
  });
  return { status, ...written };
}
