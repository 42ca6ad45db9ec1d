import { mkdtemp, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, type TestContext, test } from 'vitest';
import { FileLock } from '../src/file-lock.ts';

/** Linux gives none above 2^22. */
const BEYOND_ANY_PID = 4_194_305;
const LONG_AGO = new Date(Date.now() - 60_000);

async function lockPath(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-lock-'));
  t.onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return join(folder, 'a.lock');
}

/** Two locks of one file are two processes: they share nothing else. */
const other = (waitMs: number) => new FileLock({ waitMs });

test('a lock has one holder, and goes with its work', async (t) => {
  const path = await lockPath(t);

  await other(50).hold(path, async (first) => {
    await expect(other(50).hold(path, async () => undefined)).rejects.toMatchObject({ code: 'storage_busy' });
    expect(await first.isHeld()).toBe(true);
  });
  expect(await other(50).hold(path, (second) => second.isHeld())).toBe(true);

  expect(await readdir(join(path, '..'))).toEqual([]);
});

test('work that throws gives the lock back', async (t) => {
  const path = await lockPath(t);
  const work = () => Promise.reject(new Error('no luck'));

  await expect(other(50).hold(path, work)).rejects.toThrow('no luck');

  expect(await other(50).hold(path, async () => 'next')).toBe('next');
});

test('a holder that was taken for dead knows it, and leaves the new holder its lock', async (t) => {
  const path = await lockPath(t);
  const ends: string[] = [];
  const [slowHolds, nextHolds] = [newSignal(), newSignal()];

  const slow = other(50).hold(path, async (lock) => {
    await utimes(path, LONG_AGO, LONG_AGO);
    slowHolds.send();
    await nextHolds.sent;
    ends.push(`slow ${await lock.isHeld()}`);
  });
  await slowHolds.sent;
  await other(5_000).hold(path, async (lock) => {
    nextHolds.send();
    await slow;
    ends.push(`next ${await lock.isHeld()}`);
  });

  expect(ends).toEqual(['slow false', 'next true']);
});

test('a fresh lock of another host is honoured, an old one is not', async (t) => {
  const path = await lockPath(t);
  await writeFile(path, 'another-host 1 abc');
  await expect(other(50).hold(path, async () => undefined)).rejects.toMatchObject({ code: 'storage_busy' });

  await utimes(path, LONG_AGO, LONG_AGO);

  expect(await other(5_000).hold(path, () => readFile(path, 'utf8'))).not.toContain('another-host');
});

test('the lock of a process that is gone is taken away at once', async (t) => {
  const path = await lockPath(t);
  await writeFile(path, `${hostname()} ${BEYOND_ANY_PID} abc`);

  expect(await other(50).hold(path, async () => 'mine')).toBe('mine');
});

test.for(['one process', 'many'])('callers of %s pass through one at a time', async (whose, t) => {
  const path = await lockPath(t);
  const shared = other(20_000);
  let inside = 0;
  let most = 0;

  await Promise.all(
    Array.from({ length: 10 }, () =>
      (whose === 'many' ? other(20_000) : shared).hold(path, async () => {
        inside += 1;
        most = Math.max(most, inside);
        await readFile(path);
        inside -= 1;
      }),
    ),
  );

  expect(most).toBe(1);
});

test('several are held in one order, whoever names them in which', async (t) => {
  const path = await lockPath(t);
  const names = [`${path}1`, `${path}2`];
  const lock = other(5_000);

  const both = [lock.holdAll(names, async () => 1), other(5_000).holdAll(names.toReversed(), async () => 2)];

  expect(await Promise.all(both)).toEqual([1, 2]);
});

function newSignal(): { sent: Promise<void>; send(): void } {
  let send = (): void => undefined;
  const sent = new Promise<void>((resolve) => {
    send = resolve;
  });
  return { sent, send };
}
