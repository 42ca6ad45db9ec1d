/** This file owns the HTTP server: its bounds against slow and malformed clients, and its graceful stop. */
import { createServer, type Server } from 'node:http';
import { type AddressInfo, Server as NetServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Service } from '@sluice/runtime';
import type { Listener } from './pages.ts';

/** Long enough for a slow phone, short enough that a slow-header client cannot hold a socket for free. */
const LIMITS = {
  headersTimeout: 10_000,
  requestTimeout: 30_000,
  connectionsCheckingInterval: 5_000,
  // Node tells clients whole seconds (5): one that reuses its connection until then is never cut off by a hair.
  keepAliveTimeout: 5_999,
  maxHeaderSize: 16_384,
} as const;
const MAX_CONNECTIONS = 10_000;
/** Who finds the line full asks again a second later, then three. The system's own bound (`somaxconn`) goes before this. */
const BACKLOG = 4_096;
/** Neither read from nor written to: a reader of events that stalls, a peer that vanished. Above the longest poll. */
const SILENT_SOCKET_TIMEOUT_MS = 60_000;
const CLOSE_EVERY_MS = 50;
/** Above the 4 s after which the shipped nginx closes a connection at rest. */
const RESTING_MS = 5_000;

export class HttpServer implements Service {
  readonly name = 'http';
  readonly #server: Server;
  readonly #host: string;
  readonly #port: number;
  readonly #leaving: AbortController;
  readonly #stopping: AbortController;
  /** Before resting connections are closed: nothing, where nobody was to be let go in peace. */
  #restMs = 0;

  /**
   * `leaving` is aborted when the process has been told to stop, so that readiness says no; `stopping` as the stop itself
   * begins, so that long polls and streams end.
   */
  constructor(options: {
    listener: Listener;
    host: string;
    port: number;
    leaving: AbortController;
    stopping: AbortController;
  }) {
    this.#host = options.host;
    this.#port = options.port;
    this.#leaving = options.leaving;
    this.#stopping = options.stopping;
    this.#server = createServer(LIMITS, (incoming, outgoing) => {
      if (this.#stopping.signal.aborted) outgoing.setHeader('Connection', 'close');
      options.listener(incoming, outgoing);
    });
    this.#server.maxConnections = MAX_CONNECTIONS;
    this.#server.timeout = SILENT_SOCKET_TIMEOUT_MS;
  }

  /** Where it listens; only after `start`. */
  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  start(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen({ host: this.#host, port: this.#port, backlog: BACKLOG }, () => {
        this.#server.off('error', reject);
        resolve();
      });
    });
  }

  /**
   * Goes on serving for `ms`, not ready, so that whoever asks turns elsewhere. Connections stay: each new one might be in
   * the line of the listener when that closes, and be reset.
   */
  async linger(ms: number): Promise<void> {
    this.#leaving.abort();
    await sleep(ms);
    this.#restMs = RESTING_MS;
  }

  /**
   * Takes no new connection, makes each answer the last on its own, lets running requests finish, then closes; at the
   * deadline it closes what is left. After a linger, connections at rest are their owners' to close, for a while: one that
   * we close may just be given a request, which then fails.
   */
  stop(deadline: AbortSignal): Promise<void> {
    this.#leaving.abort();
    this.#stopping.abort();
    return new Promise((resolve) => {
      let idle: NodeJS.Timeout | undefined;
      const rest = setTimeout(() => {
        idle = setInterval(() => this.#server.closeIdleConnections(), CLOSE_EVERY_MS);
      }, this.#restMs);
      deadline.addEventListener('abort', () => this.#server.closeAllConnections());
      // After the connections of this turn have been accepted: one that is still in the line when it closes is reset.
      setImmediate(() => {
        // Not HTTP's own `close`, which ends connections at rest at once.
        NetServer.prototype.close.call(this.#server, () => {
          clearTimeout(rest);
          clearInterval(idle);
          resolve();
        });
      });
    });
  }
}
