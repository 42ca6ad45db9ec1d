import type { Redis } from '@sluice/redis';
import { testCluster, testSentinel, testServer } from '@sluice/redis/testing';
import { describe, expect, test } from 'vitest';
import { at, doctor, only, PASSWORD } from './doctor-run.ts';

describe('high availability', () => {
  test('says that it is a replica, of whom, and tries no writes there', async (t) => {
    const master = await testServer(t, { isOpen: true, settings: ['save ""', 'repl-diskless-sync-delay 0'] });
    const replica = await testServer(t, {
      isOpen: true,
      settings: ['save ""', `replicaof 127.0.0.1 ${master.port}`],
    });
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
    const { master, sentinel } = await testSentinel(t, { isOpen: true });
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
    const { master, sentinel } = await testSentinel(t, { isOpen: true });
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
    const { servers } = await testCluster(t, { isOpen: true });
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
    const server = await testServer(t, { isOpen: true, settings: ['maxclients 20', 'timeout 30'] });
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
