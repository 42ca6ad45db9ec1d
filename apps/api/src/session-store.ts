/** This file owns the session store of this API: in Redis or on disk as SESSION_DRIVER says, and the sweeping of the disk. */
import { join } from 'node:path';
import type { Keyspace } from '@sluice/config';
import type { RedisClient } from '@sluice/redis';
import type { Log, Service } from '@sluice/runtime';
import { FileSessionDriver, RedisSessionDriver, type SessionDriver } from '@sluice/session';

/** Expired sessions are dead at once; this is when their files go. */
const SWEEP_EVERY_MS = 10 * 60_000;

export interface SessionStoreOptions {
  /** `undefined`: on disk. */
  client: RedisClient | undefined;
  dataDirectory: string;
  keys: Keyspace;
  log: Log;
}

export class SessionStore implements Service {
  readonly name = 'session store';
  readonly driver: SessionDriver;
  #files: FileSessionDriver | undefined;
  readonly #log: Log;
  #timer: NodeJS.Timeout | undefined;
  #sweep: Promise<void> = Promise.resolve();

  constructor({ client, dataDirectory, keys, log }: SessionStoreOptions) {
    this.#log = log;
    if (client) this.driver = new RedisSessionDriver({ client, keys });
    else {
      this.#files = new FileSessionDriver({ directory: join(dataDirectory, 'sessions') });
      this.driver = this.#files;
    }
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
