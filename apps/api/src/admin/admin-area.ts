/** This file owns the wiring of what operators use: one way in, the console, and Bull Board, which is loaded when it is asked for. */
import type { KeyRing } from '@sluice/access';
import type { Keyspace } from '@sluice/config';
import type { routes } from '@sluice/contract';
import { isJobId, type Jobs, knownQueues } from '@sluice/jobs';
import type { ClientAddress, Limiter } from '@sluice/rate-limit';
import type { RedisClient } from '@sluice/redis';
import { deriveSecret, type Log } from '@sluice/runtime';
import type { Registry } from '@sluice/system';
import type { Hono } from 'hono';
import type { Connections } from '../connections.ts';
import { ConsoleAssets } from '../console/assets.ts';
import { createConsole } from '../console/console.ts';
import { OwnApi } from '../console/own-api.ts';
import { consolePages } from '../console/pages/index.ts';
import { Pulse } from '../console/pulse.ts';
import type { Handlers } from '../http/call.ts';
import { openEntrance } from './entrance.ts';
import { ADMIN_PATH } from './operator-sessions.ts';

export interface AdminAreaOptions {
  keyRing: KeyRing;
  registry: Registry;
  jobs: Jobs;
  limiter: Limiter;
  /** Of the queue's Redis. */
  client: RedisClient;
  keys: Keyspace;
  /** Of all routes: the console asks what the API does. */
  handlers: Handlers<typeof routes>;
  /** The installation's secret. */
  master: Buffer;
  clientAddress: ClientAddress;
  connections: Connections;
  /** Aborts when this process stops. */
  stopping: AbortSignal;
  log: Log;
}

export class AdminArea {
  readonly #options: AdminAreaOptions;
  readonly #assets = new ConsoleAssets(`${ADMIN_PATH}/static`);
  readonly #entrance: ReturnType<typeof openEntrance>;

  constructor(options: AdminAreaOptions) {
    this.#options = options;
    this.#entrance = openEntrance({ ...options, secret: deriveSecret(options.master, 'operators') });
  }

  console(): Hono {
    const { log, stopping } = this.#options;
    const pulse = new Pulse(this.#options);
    pulse.start(stopping);
    const pages = consolePages({
      ...this.#options,
      api: new OwnApi(this.#options.handlers),
      pulse,
      ...this.#entrance,
    });
    return createConsole({ entrance: this.#entrance, assets: this.#assets, pages, stopping, log });
  }

  async board(): Promise<Hono> {
    const { createBoard } = await import('../board/board.ts');
    const { BullQueues } = await import('../board/bullmq.ts');
    const { client, keys, jobs, log } = this.#options;
    const queues = new BullQueues({ client, keys });
    return createBoard({
      gate: this.#entrance.gate,
      assets: this.#assets,
      queues: { names: () => knownQueues(client, keys), open: (name) => queues.open(name), isJobId, jobs },
      log,
    }).app;
  }
}
