import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { freePort, testServer } from '@sluice/redis/testing';
import { describe, expect, test } from 'vitest';
import { at, doctor, ENTRY, GOOD, only, PASSWORD } from './doctor-run.ts';
import { dataDirectory } from './sluice.ts';

describe('security', () => {
  test('warns of a Redis without a password, and of commands that empty it', async (t) => {
    const server = await testServer(t, { isOpen: true });

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
    const server = await testServer(t, { isOpen: true, settings: ['protected-mode no', 'bind * -::*'] });

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
