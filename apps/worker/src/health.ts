/**
 * This file owns the worker's own small HTTP server: whether it consumes, for whoever restarts or routes by it, and its
 * metrics. A worker that is up and takes no jobs is not ready; one that two rebuilds did not help is not alive.
 */
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { ConfigError } from '@sluice/config';
import type { WorkerHealth } from '@sluice/jobs/worker';
import type { Log, Metrics, Service } from '@sluice/runtime';

export interface HealthOptions {
  host: string;
  /** 0: any that is free. */
  port: number;
  workers: () => WorkerHealth[];
  /** Queues that this process is to serve, and does not since it serves as many as it may. */
  unserved: () => readonly string[];
  /** Whether Redis tells which queues there are. */
  isReachable: () => boolean;
  /** What an operator should look at; none of it keeps this process from its work. */
  warnings: () => readonly string[];
  metrics: Metrics;
  log: Log;
}

/** Beyond BullMQ's longest wait for a job (10 s) and a rate limit's pause. */
const STALE_FETCH_MS = 45_000;
/** Above one wait for a job, below what has a worker rebuilt. */
const MAX_SILENT_MS = 8_000;
const REQUEST_TIMEOUT_MS = 5_000;

export class HealthServer implements Service {
  readonly name = 'health';
  readonly #options: HealthOptions;
  readonly #server: Server;
  #isStopping = false;

  constructor(options: HealthOptions) {
    this.#options = options;
    this.#server = createServer(
      { requestTimeout: REQUEST_TIMEOUT_MS, keepAliveTimeout: 1_000 },
      (request, response) => {
        const path = request.url?.split('?')[0] ?? '/';
        if (request.method !== 'GET' && request.method !== 'HEAD')
          return answer(response, 405, { error: 'method_not_allowed' });
        if (path === '/livez') return this.#livez(response);
        if (path === '/readyz') return this.#readyz(response);
        if (path === '/metrics') return void this.#metrics(response);
        answer(response, 404, { error: 'not_found' });
      },
    );
  }

  /** Rejects with `ConfigError` when it cannot listen. */
  async start(): Promise<void> {
    const { host, port, log } = this.#options;
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', (error: NodeJS.ErrnoException) => {
        const wanted = 'a port that is free at WORKER_HEALTH_HOST, or 0 for any';
        reject(
          new ConfigError([
            {
              name: 'WORKER_HEALTH_PORT',
              got: `${port} (${error.code})`,
              wanted,
              example: 'WORKER_HEALTH_PORT=0',
            },
          ]),
        );
      });
      this.#server.listen(port, host, resolve);
    });
    log.info({ host, port: (this.#server.address() as AddressInfo).port }, 'health listening');
  }

  /** From now on not ready, though still answering until the process ends. */
  beginStopping(): void {
    this.#isStopping = true;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #livez(response: ServerResponse): void {
    const stuck = this.#options.workers().filter(({ isHealthy }) => !isHealthy);
    const isStuck = stuck.length > 0;
    answer(response, isStuck ? 503 : 200, {
      status: isStuck ? 'stuck' : 'alive',
      stuck: stuck.map(({ queue }) => queue),
    });
  }

  #readyz(response: ServerResponse): void {
    const queues = this.#options.workers().map((worker) => ({ ...worker, isConsuming: isConsuming(worker) }));
    const status = this.#isStopping ? 'stopping' : this.#statusOf(queues);
    const isReady = status === 'ready';
    const { unserved, warnings } = this.#options;
    answer(response, isReady ? 200 : 503, { status, queues, unserved: unserved(), warnings: warnings() });
  }

  #statusOf(queues: readonly { isConsuming: boolean }[]): string {
    if (!this.#options.isReachable()) return 'redis_unavailable';
    return queues.every((queue) => queue.isConsuming) ? 'ready' : 'not_consuming';
  }

  async #metrics(response: ServerResponse): Promise<void> {
    const { metrics } = this.#options;
    try {
      const text = await metrics.text();
      response.writeHead(200, { 'content-type': metrics.contentType }).end(text);
    } catch (error) {
      this.#options.log.error({ error }, 'metrics could not be collected');
      answer(response, 500, { error: 'internal_error' });
    }
  }
}

/** Full hands ask for nothing, and that is well. */
function isConsuming({
  isHealthy,
  isReachable,
  silentMs,
  lastFetchAgeMs,
  running,
  concurrency,
}: WorkerHealth): boolean {
  const isBusy = running >= concurrency;
  return isHealthy && isReachable && silentMs < MAX_SILENT_MS && (isBusy || lastFetchAgeMs < STALE_FETCH_MS);
}

function answer(response: ServerResponse, status: number, body: unknown): void {
  response
    .writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store' })
    .end(`${JSON.stringify(body)}\n`);
}
