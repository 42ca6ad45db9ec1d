import { fork } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile, stat, utimes, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { dirname, join } from 'node:path';
import type { Clock } from '@sluice/runtime';
import { expect, test } from 'vitest';
import { describeSessions } from './driver-suite.ts';
import { onFile } from './setup.ts';
import { describeUsers } from './users-suite.ts';

describeSessions('files', onFile);
describeUsers('files', onFile);

test('sessions survive a restart', async (t) => {
  const { sessions, another } = await onFile(t);
  const { token } = await sessions.create({ userId: 'ada', data: { a: 1 } });
  const ended = await sessions.create({ userId: 'ada' });
  await sessions.end(ended.token);

  const restarted = another();

  expect((await restarted.read(token))?.data.text).toBe('{"a":1}');
  expect(await restarted.read(ended.token)).toBeUndefined();
});

test('a session ends exactly at its idle timeout, and at its absolute one', async (t) => {
  const clock = steppedClock();
  const { sessions } = await onFile(t, { idleMs: 1_000, absoluteMs: 2_500, touchEveryMs: 0 }, clock);
  const used = await sessions.create({ userId: 'ada' });
  const unused = await sessions.create({ userId: 'ada' });

  const seen: [boolean, boolean][] = [];
  for (const stepMs of [999, 1, 999, 500, 1]) {
    clock.step(stepMs);
    const isUnusedLive = (await sessions.read(unused.token, { touch: false })) !== undefined;
    seen.push([(await sessions.read(used.token)) !== undefined, isUnusedLive]);
  }

  expect(seen).toEqual([
    [true, true],
    [true, false],
    [true, false],
    [true, false],
    [false, false],
  ]);
});

test('a touch is written at the interval and not before', async (t) => {
  const clock = steppedClock();
  const { sessions } = await onFile(t, { idleMs: 10_000, touchEveryMs: 1_000 }, clock);
  const { token, session } = await sessions.create({ userId: 'ada' });

  clock.step(999);
  const early = await sessions.read(token);
  clock.step(1);
  const due = await sessions.read(token);

  expect(early?.seenAtMs).toBe(session.seenAtMs);
  expect(due?.seenAtMs).toBe(session.seenAtMs + 1_000);
});

test('a replaced token is honoured to the last millisecond of its overlap', async (t) => {
  const clock = steppedClock();
  const { sessions } = await onFile(t, { overlapMs: 1_000 }, clock);
  const { token } = await sessions.create({ userId: 'ada' });
  await sessions.rotate(token);

  clock.step(999);
  const during = await sessions.read(token);
  clock.step(1);

  expect(during).toBeDefined();
  expect(await sessions.read(token)).toBeUndefined();
});

test('nobody else on the machine can read the files, and no draft or lock is left', async (t) => {
  const { sessions, directory } = await onFile(t);
  const { token } = await sessions.create({ userId: 'ada' });
  await Promise.all([
    sessions.save(token, { data: {}, version: 1 }),
    sessions.rotate(token),
    sessions.list('ada'),
  ]);

  const files = await filesIn(directory);

  expect(files).toHaveLength(1);
  const [file = ''] = files;
  expect((await stat(file)).mode & 0o777).toBe(0o600);
  expect((await stat(dirname(file))).mode & 0o777).toBe(0o700);
  expect(file).toMatch(/\/[\da-f]{2}\/[\da-f]{24}\.json$/);
});

test('nothing on disk holds a token', async (t) => {
  const { sessions, directory } = await onFile(t);
  const { token } = await sessions.create({ userId: 'ada' });
  const { token: next } = await sessions.rotate(token);

  const texts = await Promise.all((await filesIn(directory)).map((path) => readFile(path, 'utf8')));

  for (const issued of [token, next]) expect(texts.join()).not.toContain(issued.slice(38));
});

test('a logout removes the file, a sweep those of users long gone and no others', async (t) => {
  const clock = steppedClock();
  const { sessions, directory, driver } = await onFile(t, { idleMs: 1_000 }, clock);
  const out = await sessions.create({ userId: 'ada' });
  await sessions.end(out.token);
  const afterLogout = await filesIn(directory);
  await sessions.create({ userId: 'bob' });
  clock.step(1_000);
  const live = await sessions.create({ userId: 'eve' });

  const swept = await driver.sweep();

  expect(afterLogout).toEqual([]);
  expect(swept).toBe(1);
  expect(await filesIn(directory)).toHaveLength(1);
  expect(await sessions.read(live.token)).toBeDefined();
});

test('a sweep removes what a process that died left behind, and nothing that is under way', async (t) => {
  const { sessions, directory, driver } = await onFile(t);
  const { token } = await sessions.create({ userId: 'ada' });
  const [file = ''] = await filesIn(directory);
  const [old, fresh] = [`${file}.0123.tmp`, `${file}.4567.tmp`];
  await writeFile(old, '{');
  await writeFile(fresh, '{');
  const longAgo = new Date(Date.now() - 2 * 3_600_000);
  await utimes(old, longAgo, longAgo);

  const swept = await driver.sweep();

  expect(swept).toBe(0);
  expect((await filesIn(directory)).sort()).toEqual([file, fresh]);
  expect(await sessions.read(token)).toBeDefined();
});

test('a file that cannot be read is a failure, not the absence of a session', async (t) => {
  const { sessions, directory } = await onFile(t);
  const { token } = await sessions.create({ userId: 'ada' });
  const [file = ''] = await filesIn(directory);

  await writeFile(file, '{"generation":0,"sess');

  await expect(sessions.read(token)).rejects.toThrow(SyntaxError);
  await expect(sessions.create({ userId: 'ada' })).rejects.toThrow(SyntaxError);
});

test('the lock of a process that died is broken', async (t) => {
  const { sessions, directory } = await onFile(t);
  const { token } = await sessions.create({ userId: 'ada' });
  const [file = ''] = await filesIn(directory);
  const dead = fork('-e', { execArgv: ['-e', '0'], stdio: 'ignore' });
  await once(dead, 'exit');

  await writeFile(`${file}.lock`, `${hostname()} ${dead.pid} abandoned`);
  const saved = await sessions.save(token, { data: { a: 1 }, version: 1 });

  expect(saved.version).toBe(2);
  expect(await filesIn(directory)).toEqual([file]);
});

test('the lock of a process that lives is waited for, and not for ever', async (t) => {
  const { sessions, directory } = await onFile(t);
  const { token } = await sessions.create({ userId: 'ada' });
  const [file = ''] = await filesIn(directory);

  await writeFile(`${file}.lock`, `${hostname()} ${process.ppid} busy`);
  const blocked = sessions.save(token, { data: { a: 1 }, version: 1 });

  await expect(blocked).rejects.toMatchObject({ code: 'storage_busy' });
  expect((await sessions.read(token))?.version).toBe(1);
});

test('three processes change one session and lose nothing', { timeout: 60_000 }, async (t) => {
  const { sessions, directory, secret } = await onFile(t);
  const { token } = await sessions.create({ userId: 'ada', data: { count: 0 } });

  const workers = Array.from({ length: 3 }, () =>
    fork(new URL('./file-writer.ts', import.meta.url), [directory, secret.toString('hex'), token, '5'], {
      execArgv: ['--conditions=@sluice/source', '--import', 'tsx'],
    }),
  );
  const codes = await Promise.all(workers.map(async (worker) => (await once(worker, 'exit'))[0] as number));

  expect(codes).toEqual([0, 0, 0]);
  expect((await sessions.read(token))?.data.text).toBe('{"count":15}');
});

function steppedClock(): Clock & { step(ms: number): void } {
  let nowMs = 1_700_000_000_000;
  return {
    now: () => nowMs,
    monotonicMs: () => nowMs,
    step: (ms) => {
      nowMs += ms;
    },
  };
}

async function filesIn(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
}
