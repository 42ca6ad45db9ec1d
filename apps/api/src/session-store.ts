/** This file owns the session store of this API: in Redis or on disk as SESSION_DRIVER says, and the sweeping of the disk. */
import { join } from 'node:path';
import type { Keyspace, StoreDriver } from '@sluice/config';
import type { RedisClient } from '@sluice/redis';
import type { Log, Service } from '@sluice/runtime';
import { FileSessionDriver, RedisSessionDriver, type SessionDriver } from '@sluice/session';

/** Expired sessions are dead at once; this is when their files go. */
const SWEEP_EVERY_MS = 10 * 60_000;

export class SessionStore implements Service {
  readonly name = 'session store';
  readonly driver: SessionDriver;
  readonly #files: FileSessionDriver | undefined;
  readonly #log: Log;
  #timer: NodeJS.Timeout | undefined;
  #sweep: Promise<void> = Promise.resolve();

  /** `connect` is asked only for the driver `redis`. */
  constructor(options: {
    kind: StoreDriver;
    dataDirectory: string;
    keys: Keyspace;
    connect: () => RedisClient;
    log: Log;
  }) {
    this.#log = options.log;
    this.#files =
      options.kind === 'file'
        ? new FileSessionDriver({ directory: join(options.dataDirectory, 'sessions') })
        : undefined;
    this.driver = this.#files ?? new RedisSessionDriver({ client: options.connect(), keys: options.keys });
  }

  start(): void {
    const files = this.#files;
    if (!files) return;
    this.#timer = setInterval(() => {
      this.#sweep = this.#sweepOnce(files);
    }, SWEEP_EVERY_MS);
    this.#timer.unref();
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#sweep;
  }

  async #sweepOnce(files: FileSessionDriver): Promise<void> {
    try {
      await files.sweep();
    } catch (error) {
      this.#log.warn({ err: error }, 'sweep of session files failed');
    }
  }
}
