/** This file owns one request and its answer, on Node's own objects: a web Request and Response cost more than the rest of the way. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { pipeline, Readable } from 'node:stream';
import type { ReadableStream as WebStream } from 'node:stream/web';
import type { ErrorCode } from '@sluice/contract';
import { DomainError } from '@sluice/runtime';
import type { BodyRoom } from './body-room.ts';
import { OVERLOADED } from './overload.ts';
import type { Reply } from './reply.ts';

/** What a client may still send of a body that nobody wants, before its connection is closed. */
const MAX_REST_BYTES = 64 * 1024 * 1024;
const REST_TIMEOUT_MS = 500;
const NO_BYTES = Buffer.alloc(0);

export class Exchange {
  readonly method: string;
  /** Path and query as they came, undecoded. */
  readonly target: string;
  /** Of the process's clock (`performance.now()`): when its headers had come. */
  readonly cameAt = performance.now();
  readonly #incoming: IncomingMessage;
  readonly #outgoing: ServerResponse;
  readonly #room: BodyRoom;
  /** Bytes of the body that took room. */
  #roomTaken = 0;
  #gone: AbortController | undefined;

  constructor(incoming: IncomingMessage, outgoing: ServerResponse, room: BodyRoom) {
    this.method = incoming.method ?? 'GET';
    this.target = incoming.url ?? '/';
    this.#incoming = incoming;
    this.#outgoing = outgoing;
    this.#room = room;
  }

  /** A request header by its lower-case name; the first of several. */
  header(name: string): string | undefined {
    const value = this.#incoming.headers[name];
    return typeof value === 'object' ? value[0] : value;
  }

  /** The peer of the socket; `undefined` once it has gone. */
  get remoteAddress(): string | undefined {
    return this.#incoming.socket.remoteAddress;
  }

  /** Aborts when the client goes before its answer is out. */
  get signal(): AbortSignal {
    if (this.#gone) return this.#gone.signal;
    const gone = new AbortController();
    this.#gone = gone;
    this.whenClosed(() => {
      if (!this.#outgoing.writableFinished) gone.abort();
    });
    return gone.signal;
  }

  /** Calls `listener` once, when the answer is out or its client has gone. */
  whenClosed(listener: () => void): void {
    if (this.#outgoing.closed) listener();
    else this.#outgoing.once('close', listener);
  }

  /**
   * The body, empty when there is none; `undefined` when it has more than `maxBytes`. Throws `input_invalid` when it breaks
   * off, `overloaded` when this process holds too much of others.
   */
  async body(maxBytes: number): Promise<Buffer | undefined> {
    const incoming = this.#incoming;
    const length = Number(incoming.headers['content-length']);
    if (length > maxBytes) return undefined;
    if (!incoming.complete && incoming.readableLength !== length) return await this.#collect(maxBytes);
    // It has come with its headers, as small ones do: there are no events to wait for.
    const whole: Buffer = incoming.read() ?? NO_BYTES;
    return whole.length > maxBytes ? undefined : whole;
  }

  /** Throws `TypeError` when a header holds what no header may. */
  answer({ status, headers, body }: Reply): void {
    this.#giveRoom();
    const outgoing = this.#outgoing;
    if (!this.#incoming.complete) outgoing.once('finish', () => discardRest(this.#incoming));
    if (body instanceof ReadableStream) {
      outgoing.writeHead(status, headers);
      outgoing.flushHeaders();
      if (this.method === 'HEAD') {
        void body.cancel();
        outgoing.end();
        return;
      }
      // A reader that goes is no fault; the stream is told by its cancellation.
      pipeline(Readable.fromWeb(body as WebStream), outgoing, () => undefined);
      return;
    }
    if (body !== null) headers['Content-Length'] = String(Buffer.byteLength(body));
    else if (status !== 204 && status !== 304) headers['Content-Length'] ??= '0';
    outgoing.writeHead(status, headers);
    if (body === null || this.method === 'HEAD') outgoing.end();
    else outgoing.end(body);
  }

  /** Closes the connection: what is left when an answer cannot be written. */
  abandon(): void {
    this.#giveRoom();
    this.#outgoing.destroy();
  }

  #giveRoom(): void {
    if (this.#roomTaken === 0) return;
    this.#room.give(this.#roomTaken);
    this.#roomTaken = 0;
  }

  #collect(maxBytes: number): Promise<Buffer | undefined> {
    const incoming = this.#incoming;
    const brokenOff = () =>
      new DomainError<ErrorCode>('input_invalid', 'The connection was closed before the body ended.');
    // What has happened already is told to no listener.
    if (incoming.destroyed) return Promise.reject(brokenOff());
    return new Promise((resolve, reject) => {
      const chunks: Buffer[] = [];
      let size = 0;
      const leave = () => {
        incoming.off('data', onData).off('end', onEnd).off('error', onBreak).off('close', onBreak);
      };
      const settle = (result: Buffer | undefined) => {
        leave();
        resolve(result);
      };
      const fail = (error: DomainError) => {
        leave();
        reject(error);
      };
      const onData = (chunk: Buffer) => {
        size += chunk.length;
        if (size > maxBytes) settle(undefined);
        else if (!this.#room.take(chunk.length)) fail(OVERLOADED);
        else {
          this.#roomTaken += chunk.length;
          chunks.push(chunk);
        }
      };
      const onEnd = () => settle(chunks.length === 1 ? chunks[0] : Buffer.concat(chunks));
      const onBreak = () => fail(brokenOff());
      incoming.on('data', onData).on('end', onEnd).on('error', onBreak).on('close', onBreak);
    });
  }
}

/** Lets a client finish what nobody reads, so that it comes to read its answer; not for long. */
function discardRest(incoming: IncomingMessage): void {
  if (incoming.complete) return;
  let size = 0;
  const close = () => incoming.socket.destroySoon();
  const timer = setTimeout(close, REST_TIMEOUT_MS).unref();
  incoming.on('data', (chunk: Buffer) => {
    size += chunk.length;
    if (size > MAX_REST_BYTES) close();
  });
  incoming.once('close', () => clearTimeout(timer)).once('end', () => clearTimeout(timer));
  incoming.resume();
}
