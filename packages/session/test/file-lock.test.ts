import { readdir, readFile, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { takeFileLock } from '../src/file-lock.ts';
import { testDirectory } from './setup.ts';

test('a lock has one holder, and goes with its release', async (t) => {
  const directory = await testDirectory(t);
  const path = join(directory, 'a.lock');
  const first = await takeFileLock(path, 50);

  await expect(takeFileLock(path, 50)).rejects.toMatchObject({ code: 'storage_busy' });
  await first.release();
  const second = await takeFileLock(path, 50);

  expect([await first.isHeld(), await second.isHeld()]).toEqual([false, true]);
  await second.release();
  expect(await readdir(directory)).toEqual([]);
});

test('a holder that was taken for dead knows it, and leaves the new holder its lock', async (t) => {
  const path = join(await testDirectory(t), 'a.lock');
  const slow = await takeFileLock(path, 50);
  const longAgo = new Date(Date.now() - 60_000);
  await utimes(path, longAgo, longAgo);

  const next = await takeFileLock(path, 1_000);
  await slow.release();

  expect([await slow.isHeld(), await next.isHeld()]).toEqual([false, true]);
});

test('a fresh lock of another host is honoured, an old one is not', async (t) => {
  const path = join(await testDirectory(t), 'a.lock');
  await writeFile(path, 'another-host 1 abc');
  await expect(takeFileLock(path, 50)).rejects.toMatchObject({ code: 'storage_busy' });
  const longAgo = new Date(Date.now() - 60_000);

  await utimes(path, longAgo, longAgo);
  const taken = await takeFileLock(path, 1_000);

  expect(await taken.isHeld()).toBe(true);
  expect(await readFile(path, 'utf8')).not.toContain('another-host');
});

test('many callers pass through one at a time', async (t) => {
  const path = join(await testDirectory(t), 'a.lock');
  let inside = 0;
  let most = 0;

  await Promise.all(
    Array.from({ length: 10 }, async () => {
      const lock = await takeFileLock(path, 20_000);
      inside += 1;
      most = Math.max(most, inside);
      await readFile(path);
      inside -= 1;
      await lock.release();
    }),
  );

  expect(most).toBe(1);
});
