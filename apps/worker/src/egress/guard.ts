/**
 * This file owns every request that leaves because of a job: it goes to an allowed address or nowhere, is answered
 * within a time and a size, and follows nothing.
 *
 *   URL -> policy -> resolve, all addresses judged -> TCP to one of them -> the real peer judged -> TLS -> request
 *
 * No redirect is followed (a 3xx is an answer), no proxy variable is read, no answer is decompressed.
 */
import type { LookupFunction, Socket } from 'node:net';
import { DomainError } from '@sluice/runtime';
import { Agent, buildConnector, type Dispatcher } from 'undici';
import { Names, type NamesOptions } from './names.ts';
import { type EgressAllowance, EgressPolicy, plainHost, portOf } from './policy.ts';

export interface OutgoingRequest {
  method: Dispatcher.HttpMethod;
  url: string;
  headers?: Readonly<Record<string, string>> | undefined;
  body?: string | undefined;
  /** From the first byte sent to the last one kept, names and connection included. */
  timeoutMs: number;
  /** What comes after is not read; `isTruncated` tells. */
  maxBodyBytes: number;
  signal?: AbortSignal | undefined;
}

export interface Answer {
  status: number;
  headers: Readonly<Record<string, string | string[] | undefined>>;
  body: Buffer;
  isTruncated: boolean;
}

export interface EgressOptions {
  allowance: EgressAllowance;
  names?: NamesOptions | undefined;
}

const CONNECT_TIMEOUT_MS = 5_000;
const MAX_HEADER_BYTES = 16_384;
/** One slow host holds this many sockets and no more. */
const CONNECTIONS_PER_ORIGIN = 32;
const IDLE_CONNECTION_MS = 4_000;

export class EgressGuard {
  readonly #policy: EgressPolicy;
  readonly #names: Names;
  readonly #agent: Agent;

  constructor({ allowance, names }: EgressOptions) {
    this.#policy = new EgressPolicy(allowance);
    this.#names = new Names(names);
    this.#agent = new Agent({
      connect: this.#connector(),
      connections: CONNECTIONS_PER_ORIGIN,
      keepAliveTimeout: IDLE_CONNECTION_MS,
      maxHeaderSize: MAX_HEADER_BYTES,
      pipelining: 1,
    });
  }

  /**
   * Sends it and reads the answer, whatever its status. Throws `egress_refused` (never sent, and never will be) and
   * `egress_failed` (no answer, or not in time; it may have been sent).
   */
  async request(outgoing: OutgoingRequest): Promise<Answer> {
    const { method, body, timeoutMs, maxBodyBytes } = outgoing;
    const url = this.#policy.admit(outgoing.url);
    const deadline = AbortSignal.timeout(timeoutMs);
    const signal = outgoing.signal ? AbortSignal.any([outgoing.signal, deadline]) : deadline;
    try {
      const response = await this.#agent.request({
        origin: url.origin,
        path: `${url.pathname}${url.search}`,
        method,
        headers: { 'accept-encoding': 'identity', ...outgoing.headers },
        ...(body !== undefined && { body }),
        headersTimeout: timeoutMs,
        bodyTimeout: timeoutMs,
        signal,
      });
      return {
        status: response.statusCode,
        headers: response.headers,
        ...(await read(response.body, maxBodyBytes)),
      };
    } catch (error) {
      outgoing.signal?.throwIfAborted();
      if (error instanceof DomainError) throw error;
      const why = deadline.aborted ? `no whole answer within ${timeoutMs} ms` : reasonOf(error);
      throw new DomainError('egress_failed', `${url.host} could not be reached: ${why}`, { cause: error });
    }
  }

  /** Drops idle connections and whatever still runs. */
  async close(): Promise<void> {
    await this.#agent.destroy();
  }

  #connector(): buildConnector.connector {
    return (options, callback) => {
      this.#connect(options).then(
        (socket) => callback(null, socket),
        (error: Error) => callback(error, null),
      );
    };
  }

  async #connect(options: buildConnector.Options): Promise<Socket> {
    const host = plainHost(options.hostname);
    const port = portOf(options);
    const addresses = await this.#names.resolve(host, this.#policy.trusts(host));
    this.#policy.judge({ host, port, addresses });
    // TCP first, also for https: not even a TLS greeting goes to a peer that was not judged.
    const socket = await open(addresses, { ...options, protocol: 'http:', port: String(port) });
    try {
      this.#policy.judge({ host, port, addresses: [socket.remoteAddress ?? ''] });
      return options.protocol === 'https:'
        ? await open(addresses, { ...options, httpSocket: socket })
        : socket;
    } catch (error) {
      socket.destroy();
      throw error;
    }
  }
}

/** Connects to one of these addresses and to nothing else, whatever the name stands for by now. */
function open(addresses: readonly string[], options: buildConnector.Options): Promise<Socket> {
  const found = addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }));
  const lookup: LookupFunction = (_hostname, { all }, callback) => {
    if (all) callback(null, found);
    else callback(null, found[0]?.address ?? '', found[0]?.family);
  };
  const connect = buildConnector({ timeout: CONNECT_TIMEOUT_MS, lookup, maxCachedSessions: 0 });
  return new Promise((resolve, reject) => {
    connect(options, (error, socket) => {
      if (socket) resolve(socket);
      else reject(error ?? new Error('no socket'));
    });
  });
}

async function read(
  body: Dispatcher.ResponseData['body'],
  maxBytes: number,
): Promise<{ body: Buffer; isTruncated: boolean }> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of body as AsyncIterable<Buffer>) {
    chunks.push(chunk);
    bytes += chunk.length;
    // Leaving the loop destroys the stream and its socket.
    if (bytes > maxBytes) return { body: Buffer.concat(chunks).subarray(0, maxBytes), isTruncated: true };
  }
  return { body: Buffer.concat(chunks), isTruncated: false };
}

/** Node's and undici's own messages name the address; the code does not. */
function reasonOf(error: unknown): string {
  const { code, name } = error as { code?: unknown; name?: unknown };
  return typeof code === 'string' ? code : String(name);
}
