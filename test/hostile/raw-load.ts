/**
 * This file owns connections that cost the load little: a request is bytes made beforehand, and of an answer only its
 * status, its length and one header are looked at. Node's own client takes as long for a request as the API for its answer.
 */
import { connect, type Socket } from 'node:net';

export interface RawAnswer {
  status: number;
  hasRetryAfter: boolean;
}

/** Answers come whole headers first: the API writes them in one piece. */
const HEADERS_END = '\r\n\r\n';

export class RawPool {
  readonly #host: string;
  readonly #port: number;
  readonly #idle: RawConnection[] = [];
  readonly #all = new Set<RawConnection>();

  constructor(url: string) {
    const { hostname, port } = new URL(url);
    this.#host = hostname;
    this.#port = Number(port);
  }

  /** Opens `count` connections, and has each answered once: one that is not accepted yet would keep its first request. */
  async warm(count: number, request: Buffer): Promise<void> {
    const opened = Array.from({ length: count }, () => this.#open());
    for (const connection of opened) {
      await new Promise<void>((resolve, reject) => {
        connection.send(request, (answer) => {
          if (!answer) reject(new Error('a connection ended before its first answer'));
          else resolve();
        });
      });
      this.#idle.push(connection);
    }
  }

  /** Calls `over` once: with the answer, or with `undefined` when the connection ended or `timeoutMs` passed without one. */
  send(request: Buffer, timeoutMs: number, over: (answer: RawAnswer | undefined) => void): void {
    // The one that has rested longest, before the API closes it.
    const connection = this.#idle.shift() ?? this.#open();
    const timer = setTimeout(() => connection.destroy(), timeoutMs);
    connection.send(request, (answer) => {
      clearTimeout(timer);
      if (answer && !connection.isClosing) this.#idle.push(connection);
      else connection.destroy();
      over(answer);
    });
  }

  close(): void {
    for (const connection of this.#all) connection.destroy();
  }

  #open(): RawConnection {
    const connection = new RawConnection(this.#host, this.#port, () => {
      this.#all.delete(connection);
      const at = this.#idle.indexOf(connection);
      if (at >= 0) this.#idle.splice(at, 1);
    });
    this.#all.add(connection);
    return connection;
  }
}

class RawConnection {
  readonly #socket: Socket;
  #over: ((answer: RawAnswer | undefined) => void) | undefined;
  #head = '';
  #answer: RawAnswer | undefined;
  #left = 0;
  /** The answer said that it is the last. */
  isClosing = false;

  constructor(host: string, port: number, onEnd: () => void) {
    this.#socket = connect({ host, port, noDelay: true })
      .on('data', (chunk: Buffer) => this.#read(chunk))
      .on('error', () => undefined)
      .on('close', () => {
        onEnd();
        this.#settle(undefined);
      });
  }

  send(request: Buffer, over: (answer: RawAnswer | undefined) => void): void {
    this.#over = over;
    this.#socket.write(request);
  }

  destroy(): void {
    this.#socket.destroy();
  }

  #read(chunk: Buffer): void {
    if (this.#answer) {
      this.#left -= chunk.length;
    } else {
      this.#head += chunk.toString('latin1');
      const end = this.#head.indexOf(HEADERS_END);
      if (end < 0) return;
      const head = this.#head.slice(0, end);
      this.isClosing = /\r\nconnection: close/i.test(head);
      this.#answer = {
        status: Number(head.slice(9, 12)),
        hasRetryAfter: /\r\nretry-after: /i.test(head),
      };
      const length = Number(/\r\ncontent-length: (\d+)/i.exec(head)?.[1] ?? 0);
      this.#left = length - (this.#head.length - end - HEADERS_END.length);
      this.#head = '';
    }
    if (this.#left > 0) return;
    const answer = this.#answer;
    this.#answer = undefined;
    this.#settle(answer);
  }

  #settle(answer: RawAnswer | undefined): void {
    const over = this.#over;
    this.#over = undefined;
    over?.(answer);
  }
}
