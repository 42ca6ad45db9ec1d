import { keyspace } from '@sluice/config';
import { testServer } from '@sluice/redis/testing';
import { deriveSecret } from '@sluice/runtime';
import { Registry, recordedServices } from '@sluice/system';
import { describe, expect, test } from 'vitest';
import { readDoctorConfig } from '../src/config.ts';
import { at, doctor, ENTRY, GOOD, only, PASSWORD } from './doctor-run.ts';

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
