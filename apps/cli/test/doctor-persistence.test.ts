import { rm, symlink, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { Redis } from '@sluice/redis';
import { testServer } from '@sluice/redis/testing';
import { describe, expect, test } from 'vitest';
import { at, doctor, ENTRY, GOOD, only, PASSWORD } from './doctor-run.ts';

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
    const server = await testServer(t, { isOpen: true, settings: ['save 900 1'] });
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
