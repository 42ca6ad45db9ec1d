import { mkdir, readdir, readFile, stat, truncate, utimes, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { Cache, FileDriver } from '@sluice/cache';
import { describe, expect, it } from 'vitest';
import { cacheSuite } from './cache-suite.ts';
import { entrySuite } from './entry-suite.ts';
import { about, fileRig } from './setup.ts';
import { sharingSuite } from './sharing-suite.ts';

cacheSuite('files', fileRig);
sharingSuite('files', fileRig);
entrySuite('files', fileRig);

describe('a cache on files', () => {
  it('answers after a restart what it answered before, with the TTL it had', async (t) => {
    const { cache, open, clock } = await fileRig(t);
    await cache.set('k', { kept: true }, { ttl: 100 });
    await cache.stop();
    clock.advanceMs(30_000);

    const again = open('books');

    expect(await again.getTimed('k')).toMatchObject({
      ttlSeconds: about(70),
      entry: { text: '{"kept":true}' },
    });
  });

  it('takes a torn file for an absent entry and writes over it', async (t) => {
    const { cache, folder } = await fileRig(t);
    await cache.set('k', 'a long enough value');
    const [file] = await recordFiles(folder);
    await truncate(file as string, 60);

    expect(await cache.get('k')).toBeUndefined();
    await cache.set('k', 'new', { when: 'absent' });

    expect((await cache.get('k'))?.value).toBe('new');
  });

  it('leaves no file of a dead writer and none that expired once its shelf is swept', async (t) => {
    const { folder, clock } = await fileRig(t);
    const driver = new FileDriver({ folder, service: 'swept', clock });
    t.onTestFinished(() => driver.stop());
    const cache = new Cache({ name: 'swept', driver });
    await cache.setMany(Array.from({ length: 50 }, (_, at) => ({ key: `k${at}`, value: at, ttl: 10 })));
    await cache.set('stays', 1, { ttl: 1_000 });
    const [file] = await recordFiles(join(folder, 'swept', 'entries'));
    await writeFile(`${file}.aaaa.tmp`, 'half');
    const longAgo = new Date(Date.now() - 120_000);
    await utimes(`${file}.aaaa.tmp`, longAgo, longAgo);
    clock.advanceMs(11_000);

    let removed = 0;
    for (let shelf = 0; shelf < 256; shelf += 1) removed += await driver.sweepShelf();

    expect(removed).toBe(50);
    expect(await recordFiles(join(folder, 'swept', 'entries'))).toHaveLength(1);
    expect(await cache.has('stays')).toBe(true);
  });

  it('takes over the lock of a process that died', async (t) => {
    const { cache, folder } = await fileRig(t);
    await cache.set('k', 1);
    const [file] = await recordFiles(folder);
    const shelf = file?.split('/').at(-2) as string;
    const deadPid = 2 ** 22 + 1;
    await writeFile(join(folder, 'books', 'locks', `${shelf}.lock`), `${hostname()} ${deadPid} abc`);

    await cache.set('k', 2);

    expect((await cache.get('k'))?.value).toBe(2);
    expect(await readdir(join(folder, 'books', 'locks'))).toEqual([]);
  });

  it('says so when another process holds the lock for too long', async (t) => {
    const { cache, folder } = await fileRig(t);
    await cache.set('k', 1);
    const [file] = await recordFiles(folder);
    const shelf = file?.split('/').at(-2) as string;
    await writeFile(join(folder, 'books', 'locks', `${shelf}.lock`), `${hostname()} ${process.pid} abc`);

    await expect(cache.set('k', 2)).rejects.toMatchObject({ code: 'storage_busy' });

    expect((await cache.get('k'))?.value).toBe(1);
  });

  it('hides values from other users of the machine', async (t) => {
    const { cache, folder } = await fileRig(t);
    await cache.set('k', 'private');

    const [file] = await recordFiles(folder);

    expect((await stat(file as string)).mode & 0o777).toBe(0o600);
    expect((await stat(join(folder, 'books', 'entries'))).mode & 0o777).toBe(0o700);
    expect(await readFile(file as string, 'utf8')).toContain('"private"');
  });

  it('throws what the file system says when its folder cannot be made', async (t) => {
    const { folder } = await fileRig(t);
    await mkdir(join(folder, 'x'));
    await writeFile(join(folder, 'x', 'busy'), '');

    expect(() => new FileDriver({ folder: join(folder, 'x'), service: 'busy' })).toThrow(/ENOTDIR|EEXIST/);
  });
});

async function recordFiles(folder: string): Promise<string[]> {
  const files = await readdir(folder, { recursive: true, withFileTypes: true });
  return files
    .filter((file) => file.isFile() && /^[0-9a-f]{64}$/.test(file.name))
    .map((file) => join(file.parentPath, file.name));
}
