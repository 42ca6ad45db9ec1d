import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createConnection, createServer } from 'node:net';
import { networkInterfaces, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Env, type RedisConfig, readRoles } from '@sluice/config';
import { expect, test } from 'vitest';
import { identify } from '../src/embedded/process-identity.ts';
import { type EmbeddedOptions, findEmbeddedRedis, startEmbeddedRedis } from '../src/embedded.ts';
import { close, connect, type Redis, untilReady } from '../src/index.ts';
import type { TestContext } from '../src/testing.ts';

const OWNER = fileURLToPath(new URL('./embedded-owner.ts', import.meta.url));

test('keeps its data and its port between two starts', async (t) => {
  const { start } = await setup(t);
  const first = await start();
  await (await client(t, first.url)).set('kept', 'yes');
  await first.stop();

  const second = await start();

  expect(await (await client(t, second.url)).get('kept')).toBe('yes');
  expect({ kind: second.kind, port: second.port }).toEqual({ kind: 'redis-server', port: first.port });
});

test('tells that the end was asked for, and leaves no process and no claim', async (t) => {
  const { start, directory, record } = await setup(t);
  const redis = await start();
  const { process: server } = await record();

  await redis.stop();
  await redis.stop();

  expect(await redis.ended).toMatchObject({ wasAsked: true, reason: 'status 0' });
  expect(await identify(server.pid)).toBeUndefined();
  expect(await readdir(directory)).toEqual(['appendonlydir', 'server.json']);
});

test('writes an append-only file, never evicts, and asks for its password', async (t) => {
  const { start } = await setup(t);
  const redis = await start();

  const answers = await (await client(t, redis.url)).config('GET', 'append*', 'maxmemory-policy');
  expect(answers).toEqual(
    expect.arrayContaining([
      'appendonly',
      'yes',
      'appendfsync',
      'everysec',
      'maxmemory-policy',
      'noeviction',
    ]),
  );
  expect(await askWithoutPassword(redis.port)).toMatch(/^-NOAUTH /);
});

test('shows its password in no file that others may read and in no list of processes', async (t) => {
  const { start, directory, record } = await setup(t);
  await start();

  const { password, process: server } = await record();

  expect(password).toMatch(/^[0-9a-f]{48}$/);
  expect((await stat(join(directory, 'server.json'))).mode & 0o077).toBe(0);
  expect(await readFile(`/proc/${server.pid}/cmdline`, 'utf8')).not.toContain(password);
});

test('refuses a folder whose Redis belongs to a living process', async (t) => {
  const { start } = await setup(t);
  await start();

  await expect(start()).rejects.toMatchObject({ code: 'data_folder_in_use', details: { pid: process.pid } });
});

test('lets one of many win that start at once in one folder', async (t) => {
  const { start } = await setup(t);

  const starts = await Promise.allSettled(Array.from({ length: 8 }, () => start()));

  expect(starts.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
  for (const each of starts)
    if (each.status === 'rejected') expect(each.reason).toMatchObject({ code: 'data_folder_in_use' });
});

test('takes over from an owner that was killed: ends its server and has its data', async (t) => {
  const { start, directory, record, steps } = await setup(t);
  const owner = spawnOwner(t, directory, { orphanGraceMs: 600_000 });
  const url = await firstLine(owner);
  await (await client(t, url)).set('written', 'before the kill');
  const left = (await record()).process;
  owner.kill('SIGKILL');
  await once(owner, 'exit');
  expect(await identify(left.pid)).toMatchObject({ pid: left.pid });

  const redis = await start();

  expect(steps[0]).toBe(`ending process ${left.pid}, left over from an earlier start`);
  expect(await identify(left.pid)).toBeUndefined();
  expect(await (await client(t, redis.url)).get('written')).toBe('before the kill');
});

test('ends by itself, a while after its owner was killed', async (t) => {
  const { directory, record } = await setup(t);
  const owner = spawnOwner(t, directory, { orphanGraceMs: 1_000 });
  await firstLine(owner);
  const left = (await record()).process;

  owner.kill('SIGKILL');

  await once(owner, 'exit');
  expect(await identify(left.pid)).toMatchObject({ pid: left.pid });
  await expect.poll(() => identify(left.pid), { timeout: 5_000 }).toBeUndefined();
});

test('takes over the claim of a dead process whose pid was given to another', async (t) => {
  const { start, directory } = await setup(t);
  await writeFile(
    join(directory, 'owner.json'),
    JSON.stringify({ pid: process.pid, born: 'in another life' }),
  );

  const redis = await start();

  expect(redis.kind).toBe('redis-server');
});

test('moves to another port when somebody else has its own', async (t) => {
  const { start } = await setup(t);
  const first = await start();
  await (await client(t, first.url)).set('kept', 'yes');
  await first.stop();
  // The client of the first Redis comes back here, again and again.
  const squatter = createServer((socket) => socket.destroy()).listen(first.port, '127.0.0.1');
  await once(squatter, 'listening');
  t.onTestFinished(async () => {
    await new Promise((resolve) => squatter.close(resolve));
  });

  const second = await start();

  expect(second.port).not.toBe(first.port);
  expect(await (await client(t, second.url)).get('kept')).toBe('yes');
});

test('tells when the server dies by itself, and the folder can be started again', async (t) => {
  const { start, record } = await setup(t);
  const first = await start();
  process.kill((await record()).process.pid, 'SIGKILL');

  const end = await first.ended;

  expect(end).toMatchObject({ wasAsked: false, reason: 'signal SIGKILL' });
  expect(end.lastLines.at(-1)).toContain('Ready to accept connections');
  expect((await start()).port).toBe(first.port);
});

test('says in the words of the server why it will not start', async (t) => {
  const { start, directory } = await setup(t);
  await (await start()).stop();
  await writeFile(join(directory, 'appendonlydir', 'appendonly.aof.manifest'), 'not a manifest\n');

  await expect(start()).rejects.toMatchObject({
    code: 'redis_unstartable',
    message: expect.stringMatching(/^redis-server ended with status 1 before it was ready: .*manifest/),
  });
  expect(await readdir(directory)).not.toContain('owner.json');
});

test('finds the Redis that a living process runs in a folder, and none after it', async (t) => {
  const { start, directory } = await setup(t);
  const before = await findEmbeddedRedis(directory);
  const redis = await start();

  const during = await findEmbeddedRedis(directory);
  await redis.stop();

  expect([before, during, await findEmbeddedRedis(directory)]).toEqual([
    undefined,
    { url: redis.url, kind: 'redis-server' },
    undefined,
  ]);
});

test('without a server to run, imitates one in this process and says what that is worth', async (t) => {
  const { start } = await setup(t);

  const redis = await start({ programs: [] });

  const redisClient = await client(t, redis.url);
  await redisClient.set('a', '1');
  expect(await redisClient.eval("return redis.call('INCR', KEYS[1])", 1, 'a')).toBe(2);
  expect(redis).toMatchObject({ kind: 'in-process', warning: expect.stringMatching(/ALL DATA ARE LOST/) });
});

test('the imitation listens to this machine alone and asks for its password', async (t) => {
  const { start } = await setup(t);
  const redis = await start({ programs: [] });

  expect(await askWithoutPassword(redis.port)).toMatch(/^-NOAUTH /);
  for (const address of outsideAddresses()) {
    const probe = createServer().listen(redis.port, address);
    await once(probe, 'listening');
    await new Promise((resolve) => probe.close(resolve));
  }
});

test('the imitation stops although clients are connected', async (t) => {
  const { start, directory } = await setup(t);
  const redis = await start({ programs: [] });
  const connected = await client(t, redis.url);
  const closed = once(connected, 'close');

  await redis.stop();

  await closed;
  expect(await readdir(directory)).toEqual(['server.json']);
});

async function setup(t: TestContext) {
  const directory = await mkdtemp(join(tmpdir(), 'sluice-embedded-'));
  const steps: string[] = [];
  const started: { stop(): Promise<void> }[] = [];
  t.onTestFinished(async () => {
    await Promise.all(started.map((each) => each.stop()));
    await rm(directory, { recursive: true, force: true });
  });
  return {
    directory,
    steps,
    async start(options: Partial<EmbeddedOptions> = {}) {
      const redis = await startEmbeddedRedis({
        directory,
        onProgress: (step) => steps.push(step),
        ...options,
      });
      started.push(redis);
      return redis;
    },
    async record(): Promise<{ password: string; process: { pid: number } }> {
      return JSON.parse(await readFile(join(directory, 'server.json'), 'utf8'));
    },
  };
}

async function client(t: TestContext, url: string): Promise<Redis> {
  const opened = connect({ config: configOf(url), profile: 'worker', name: 'test' }) as Redis;
  t.onTestFinished(() => close(opened));
  await untilReady(opened, 5_000);
  return opened;
}

function configOf(url: string): RedisConfig {
  return readRoles(new Env({ REDIS_URL: url })).redis.cache;
}

/** A process of its own that starts the Redis of `directory`, writes its URL as a line, and stays. */
function spawnOwner(t: TestContext, directory: string, options: { orphanGraceMs: number }): ChildProcess {
  const owner = spawn(
    process.execPath,
    ['--import', 'tsx', '--conditions=@sluice/source', OWNER, directory, String(options.orphanGraceMs)],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  t.onTestFinished(() => void owner.kill('SIGKILL'));
  return owner;
}

async function firstLine(child: ChildProcess): Promise<string> {
  const [chunk] = (await once(child.stdout as NonNullable<ChildProcess['stdout']>, 'data')) as [Buffer];
  return chunk.toString().trim();
}

async function askWithoutPassword(port: number): Promise<string> {
  const socket = createConnection(port, '127.0.0.1');
  socket.end('GET a\r\n');
  const [answer] = (await once(socket, 'data')) as [Buffer];
  return answer.toString();
}

function outsideAddresses(): string[] {
  return Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .filter(({ family, internal }) => family === 'IPv4' && !internal)
    .map(({ address }) => address);
}
