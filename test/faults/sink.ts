/** This file owns the sink: what jobs do to the world outside, once per idempotency key, and how often they tried. */
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

/** An answer takes up to this long, so that kills hit requests under way. */
const MAX_DELAY_MS = 30;

export class Sink {
  /** How often each key was asked for; the first time is the effect. */
  readonly calls = new Map<string, number>();
  readonly #server: Server;

  private constructor(random: () => number) {
    this.#server = createServer((request, response) => {
      const key = request.headers['idempotency-key'] ?? request.headers['webhook-id'];
      if (typeof key === 'string') this.calls.set(key, (this.calls.get(key) ?? 0) + 1);
      request.resume();
      setTimeout(
        () => response.writeHead(typeof key === 'string' ? 200 : 400).end(),
        random() * MAX_DELAY_MS,
      );
    });
  }

  static async open(random: () => number): Promise<Sink> {
    const sink = new Sink(random);
    sink.#server.listen(0, '127.0.0.1');
    await once(sink.#server, 'listening');
    return sink;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/`;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  close(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }
}
