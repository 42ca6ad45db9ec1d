/** This file owns the HTTP server: its bounds against slow and malformed clients, and its graceful stop. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Service } from '@sluice/runtime';
import type { Listener } from './pages.ts';

/** Long enough for a slow phone, short enough that a slow-header client cannot hold a socket for free. */
const LIMITS = {
  headersTimeout: 10_000,
  requestTimeout: 30_000,
  connectionsCheckingInterval: 5_000,
  keepAliveTimeout: 5_000,
  maxHeaderSize: 16_384,
} as const;
const MAX_CONNECTIONS = 10_000;
/** Neither read from nor written to: a reader of events that stalls, a peer that vanished. Above the longest poll. */
const SILENT_SOCKET_TIMEOUT_MS = 60_000;

export class HttpServer implements Service {
  readonly name = 'http';
  readonly #server: Server;
  readonly #host: string;
  readonly #port: number;
  readonly #stopping: AbortController;

  /** `stopping` is aborted as the stop begins, so that long polls and streams end. */
  constructor(options: { listener: Listener; host: string; port: number; stopping: AbortController }) {
    this.#host = options.host;
    this.#port = options.port;
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
      this.#server.listen({ host: this.#host, port: this.#port }, () => {
        this.#server.off('error', reject);
        resolve();
      });
    });
  }

  /** Takes no new connection, lets running requests finish, then closes; at the deadline it closes what is left. */
  stop(deadline: AbortSignal): Promise<void> {
    this.#stopping.abort();
    return new Promise((resolve) => {
      const idle = setInterval(() => this.#server.closeIdleConnections(), 50);
      deadline.addEventListener('abort', () => this.#server.closeAllConnections());
      this.#server.close(() => {
        clearInterval(idle);
        resolve();
      });
      this.#server.closeIdleConnections();
    });
  }
}
