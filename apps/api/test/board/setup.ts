/** This file owns what tests of the board share: a real server with the board alone, real keys, real queues of BullMQ. */
import { randomBytes } from 'node:crypto';
import { KeyRing, type NewKey } from '@sluice/access';
import { isJobId, Jobs, knownQueues, registerQueue } from '@sluice/jobs';
import { type ClientAddress, clientAddressBy } from '@sluice/rate-limit';
import type { RedisClient } from '@sluice/redis';
import { type TestContext, type TestRedis, testRedis } from '@sluice/redis/testing';
import { type Clock, createLog } from '@sluice/runtime';
import {
  type AccountBody,
  type AccountRole,
  Book,
  newAccount,
  Registry,
  recordedAccounts,
} from '@sluice/system';
import { FlowProducer, Queue, Worker } from 'bullmq';
import { Hono } from 'hono';
import { openEntrance } from '../../src/admin/entrance.ts';
import type { Keys } from '../../src/admin/gate.ts';
import { ADMIN_PATH } from '../../src/admin/operator-sessions.ts';
import { BOARD_PATH, type BoardOptions, createBoard } from '../../src/board/board.ts';
import { BullQueues } from '../../src/board/bullmq.ts';
import { ConsoleAssets } from '../../src/console/assets.ts';
import { createConsole } from '../../src/console/console.ts';
import { type Binding, listenerOf } from '../../src/pages.ts';
import { HttpServer } from '../../src/server.ts';

export interface BoardUnderTest {
  origin: string;
  /** `http://127.0.0.1:<port>/admin/queues` */
  address: string;
  ring: KeyRing;
  /** Lines of the log. */
  lines: string[];
  redis: Awaited<ReturnType<typeof testRedis>>;
  makeKey(scopes: NewKey['scopes']): Promise<string>;
  /** Makes an account and answers its book. */
  makeAccount(account: { name: string; role: AccountRole; password: string }): Promise<Book<AccountBody>>;
  /** A queue that the board knows of. */
  queue(name: string): Promise<Queue>;
  flows(): FlowProducer;
  /** Runs jobs of a queue until the test ends. */
  work(name: string, processor: ConstructorParameters<typeof Worker>[1]): Worker;
  /** Every key of BullMQ that this test has in Redis, with what it holds. */
  dump(): Promise<[string, string | undefined][]>;
  /** A request with this key as the password of basic authentication, from a page of the board. */
  fetchAs(key: string, path: string, init?: RequestInit): Promise<Response>;
}

interface Settings extends Pick<Partial<BoardOptions>, 'redaction'> {
  /** The board's own connection to Redis; the queues are planted over another. */
  client?: RedisClient;
  clock?: Clock;
  clientAddress?: ClientAddress;
  keys?: Keys;
  idleMs?: number;
  absoluteMs?: number;
}

export async function boardUnderTest(t: TestContext, settings: Settings = {}): Promise<BoardUnderTest> {
  const { client: given, redaction, keys: keyRing, clientAddress = clientAddressBy(0), ...times } = settings;
  const redis = await testRedis(t);
  const client = given ?? redis.client;
  const lines: string[] = [];
  const log = createLog({ name: 'test', destination: { write: (line) => void lines.push(line) } });
  const ring = new KeyRing({ client: redis.client, keys: redis.keys, pepper: randomBytes(32) });
  await ring.start();
  const bullQueues = new BullQueues({ client, keys: redis.keys });
  const source = {
    names: () => knownQueues(client, redis.keys),
    open: (name: string) => bullQueues.open(name),
    isJobId,
    jobs: jobsOn(client, redis),
  };
  const registry = new Registry({ client: redis.client, keys: redis.keys });
  await registry.start();
  const entrance = openEntrance({
    keyRing: keyRing ?? ring,
    registry,
    client,
    keys: redis.keys,
    secret: randomBytes(32),
    clientAddress,
    log,
    ...times,
  });
  const assets = new ConsoleAssets(`${ADMIN_PATH}/static`);
  const board = createBoard({
    gate: entrance.gate,
    assets,
    queues: source,
    log,
    ...(redaction && { redaction }),
  });
  const console = createConsole({ entrance, assets, pages: [], stopping: new AbortController().signal, log });
  const root = new Hono<{ Bindings: Binding }>()
    .route(board.path, board.app)
    .route(ADMIN_PATH, console as never);
  const server = new HttpServer({
    listener: await listenerOf(root as never),
    host: '127.0.0.1',
    port: 0,
    leaving: new AbortController(),
    stopping: new AbortController(),
  });
  await server.start();

  const worker = redis.connect('worker');
  const opened: { close(): Promise<void> }[] = [];
  t.onTestFinished(async () => {
    await server.stop(AbortSignal.timeout(1_000));
    await registry.stop();
    await ring.stop();
    await Promise.all(opened.map((each) => each.close()));
  });
  const origin = `http://127.0.0.1:${server.port}`;
  return {
    origin,
    address: origin + BOARD_PATH,
    ring,
    lines,
    redis,
    makeKey: async (scopes) => (await ring.create({ label: `key for ${scopes.join()}`, scopes })).key,
    async makeAccount(account) {
      const book = new Book({ registry, recorded: recordedAccounts(), configured: [] });
      const author = { kind: 'cli', id: null, label: 'test' } as const;
      await book.create([await newAccount(account)], { author, requestId: null });
      return book;
    },
    async queue(name) {
      const queue = new Queue(name, { connection: worker, prefix: redis.keys.queuePrefix(name) });
      opened.push(queue);
      await registerQueue(redis.client, redis.keys, name);
      return queue;
    },
    flows() {
      const flows = new FlowProducer({ connection: worker, prefix: redis.keys.queuePrefix('') });
      opened.push(flows);
      return flows;
    },
    work(name, processor) {
      const consumer = new Worker(name, processor, {
        connection: redis.connect('worker'),
        prefix: redis.keys.queuePrefix(name),
        concurrency: 50,
      });
      opened.push(consumer);
      return consumer;
    },
    async dump() {
      const keys = (await redis.allKeys()).filter((key) => key.includes('-queue:'));
      return await Promise.all(
        keys.map(async (key) => [key, (await redis.client.dumpBuffer(key))?.toString('hex')]),
      );
    },
    fetchAs: (key, path, init = {}) =>
      fetch(origin + BOARD_PATH + path, {
        redirect: 'manual',
        ...init,
        headers: {
          ...basic(key),
          'Sec-Fetch-Site': 'same-origin',
          ...(init.headers as Record<string, string>),
        },
      }),
  };
}

/** Jobs as the board uses them. */
export function jobsOn(client: RedisClient, { connect, keys }: Pick<TestRedis, 'connect' | 'keys'>): Jobs {
  return new Jobs({ client, subscriber: connect('subscriber'), keys, leases: { secret: randomBytes(32) } });
}

export function basic(key: string): { Authorization: string } {
  return { Authorization: `Basic ${Buffer.from(`anybody:${key}`).toString('base64')}` };
}
