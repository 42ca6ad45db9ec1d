/**
 * This file owns what a Redis is to the harness - how the product finds it, which processes it is made of - and the one of
 * a single server. Sentinel and Cluster are other makers of the same thing.
 */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type RedisConfig, Secret, type StandaloneConfig } from '@sluice/config';
import { close, connect, type RedisClient, untilReady } from '@sluice/redis';
import { ADMIN_PASSWORD, argumentsOf, guardedServer, productUrl, Refusals } from '@sluice/redis/testing';
import { type Cleaner, freePort, Program } from '../e2e/product.ts';

export interface Topology {
  /** `redis-server, appendfsync always`. */
  readonly name: string;
  /** What API and worker are told of it. */
  readonly variables: Readonly<Record<string, string>>;
  /** What the harness' own clients are told: its administrator's way in. */
  readonly config: RedisConfig;
  readonly nodes: readonly RedisNode[];
  /** Resolves when a write is served. */
  untilServing(timeoutMs?: number): Promise<void>;
}

/** A redis-server (or Sentinel) that can be killed, started again on the same data, held and let go. */
export interface RedisNode {
  readonly name: string;
  readonly host: string;
  readonly port: number;
  readonly folder: string;
  readonly isRunning: boolean;
  /** Starts it again; resolves when it has loaded its data. `more` are settings of this start alone. */
  start(more?: readonly string[]): Promise<void>;
  /** `kill -9`. */
  kill(): Promise<void>;
  /** SIGTERM: it writes what it has to write. */
  stop(): Promise<void>;
  /** SIGSTOP: connections stay open and nothing is answered. */
  freeze(): void;
  thaw(): void;
}

export type Fsync = 'always' | 'everysec' | 'no';

export interface ServerOptions {
  name: string;
  folder: string;
  /** Beyond port, bind and dir, in the form of the command line. */
  settings: readonly string[];
  host?: string | undefined;
  port?: number | undefined;
  /** Before `redis-server`: `['ip', 'netns', 'exec', 'r1']`. */
  launcher?: readonly string[] | undefined;
  /** Sentinels need a file they may write, given here. */
  file?: string | undefined;
}

export class RedisServer implements RedisNode {
  readonly name: string;
  readonly host: string;
  readonly port: number;
  readonly folder: string;
  readonly #options: ServerOptions;
  #program: Program | undefined;

  private constructor(options: ServerOptions, port: number) {
    this.name = options.name;
    this.host = options.host ?? '127.0.0.1';
    this.port = port;
    this.folder = options.folder;
    this.#options = options;
  }

  static async start(t: Cleaner, options: ServerOptions): Promise<RedisServer> {
    await mkdir(options.folder, { recursive: true });
    const server = new RedisServer(options, options.port ?? (await freePort()));
    t.onTestFinished(() => server.kill());
    await server.start();
    return server;
  }

  get isRunning(): boolean {
    return this.#program?.isRunning ?? false;
  }

  get pid(): number | undefined {
    return this.#program?.pid;
  }

  async start(more: readonly string[] = []): Promise<void> {
    const { launcher = [], settings, file } = this.#options;
    const own = ['--port', String(this.port), '--bind', this.host, '--dir', this.folder];
    const [command, ...args] = [
      ...launcher,
      'redis-server',
      ...(file ? [file] : []),
      ...own,
      ...settings,
      ...more,
    ];
    this.#program = new Program(command as string, args, process.env, this.folder);
    await this.#program.says(/Ready to accept connections|Sentinel ID is/, 120_000);
  }

  async kill(): Promise<void> {
    this.#program?.signal('SIGCONT');
    await this.#program?.kill('SIGKILL');
  }

  async stop(): Promise<void> {
    await this.#program?.kill('SIGTERM');
  }

  freeze(): void {
    this.#program?.signal('SIGSTOP');
  }

  thaw(): void {
    this.#program?.signal('SIGCONT');
  }
}

/** One redis-server with an append-only file, which the product enters as the user of docs/security.md, and may be refused nothing. */
export async function singleServer(
  t: Cleaner,
  { folder, fsync, settings = [] }: { folder: string; fsync: Fsync; settings?: readonly string[] },
): Promise<Topology & { server: RedisServer }> {
  const server = await RedisServer.start(t, {
    name: 'redis',
    folder: join(folder, 'redis'),
    settings: [
      ...['--save', '', '--appendonly', 'yes', '--appendfsync', fsync],
      ...argumentsOf(guardedServer({ prefix: 'dreamfactory' })),
      ...settings,
    ],
  });
  const config: StandaloneConfig = {
    kind: 'standalone',
    ...{ host: server.host, port: server.port, database: 0 },
    ...{ username: undefined, password: new Secret(ADMIN_PASSWORD), tls: undefined },
  };
  refuseNothing(t, () => [server]);
  return {
    name: `redis-server, appendfsync ${fsync}`,
    variables: { REDIS_URL: productUrl(server.port, server.host) },
    config,
    nodes: [server],
    server,
    untilServing: (timeoutMs) => untilServing(config, timeoutMs),
  };
}

/** A case fails in which one of these has refused the product anything; what a node saw before a `kill -9` is not known. */
export function refuseNothing(t: Cleaner, nodesOf: () => readonly RedisNode[]): void {
  t.onTestFinished(async () => {
    for (const node of nodesOf()) {
      node.thaw();
      if (!node.isRunning) continue;
      const refusals = new Refusals({
        ...{ kind: 'standalone', host: node.host, port: node.port, database: 0 },
        ...{ username: undefined, password: new Secret(ADMIN_PASSWORD), tls: undefined },
      });
      await refusals.collect();
      refusals.assertNone();
    }
  });
}

/** Resolves when a client of ours is ready: Redis is there, and has loaded its data. */
export async function untilServing(config: RedisConfig, timeoutMs = 120_000): Promise<void> {
  const client = connect({ config, profile: 'worker', name: 'harness' });
  try {
    await untilReady(client, timeoutMs);
    await client.set('harness:serving', '1', 'PX', 1);
  } finally {
    await close(client);
  }
}

/** Runs `work` with a client of the harness' own. */
export async function withClient<T>(
  config: RedisConfig,
  work: (client: RedisClient) => Promise<T>,
): Promise<T> {
  const client = connect({ config, profile: 'worker', name: 'harness' });
  try {
    await untilReady(client, 60_000);
    return await work(client);
  } finally {
    await close(client);
  }
}
