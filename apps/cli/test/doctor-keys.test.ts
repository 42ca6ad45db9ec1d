import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { testServer } from '@sluice/redis/testing';
import { describe, expect, test } from 'vitest';
import { at, doctor, only } from './doctor-run.ts';
import { dataDirectory } from './sluice.ts';

describe('keys', () => {
  test('that should end and do not are counted, not named', async (t) => {
    const server = await testServer(t, { isOpen: true });
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
    const server = await testServer(t, { isOpen: true });
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
