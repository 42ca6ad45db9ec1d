/** This file owns sending a request exactly as it is written: no path is tidied up, no header added but its own. */
import { Agent, type IncomingMessage, request } from 'node:http';

export interface Sent {
  method: string;
  /** Path and query as they go out. */
  target: string;
  headers?: Record<string, string>;
  body?: string | Buffer | undefined;
}

export interface Answer {
  status: number;
  headers: Readonly<Record<string, string | string[] | undefined>>;
  text: string;
  durationMs: number;
}

/** What no answer may take, long polls included. */
const DEADLINE_MS = 45_000;

export class HttpClient {
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 64 });
  readonly #url: URL;

  constructor(url: string) {
    this.#url = new URL(url);
  }

  /** Of an event stream: its first piece, and then it is left. Rejects when no answer comes. */
  send({ method, target, headers = {}, body }: Sent): Promise<Answer> {
    const startedAt = performance.now();
    return new Promise((resolve, reject) => {
      const outgoing = request(
        {
          agent: this.#agent,
          host: this.#url.hostname,
          port: this.#url.port,
          method,
          path: target,
          headers: {
            ...headers,
            ...(body !== undefined && { 'Content-Length': String(Buffer.byteLength(body)) }),
          },
          timeout: DEADLINE_MS,
        },
        (incoming) => {
          readText(incoming).then((text) => {
            const { statusCode = 0, headers: received } = incoming;
            const durationMs = performance.now() - startedAt;
            resolve({ status: statusCode, headers: received, text, durationMs });
          }, reject);
        },
      );
      outgoing.once('timeout', () => outgoing.destroy(new Error(`no answer within ${DEADLINE_MS} ms`)));
      outgoing.once('error', reject);
      outgoing.end(body);
    });
  }

  close(): void {
    this.#agent.destroy();
  }
}

function readText(incoming: IncomingMessage): Promise<string> {
  const isStream = incoming.headers['content-type']?.startsWith('text/event-stream') ?? false;
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    const done = () => resolve(Buffer.concat(chunks).toString('utf8'));
    incoming.on('data', (chunk: Buffer) => {
      chunks.push(chunk);
      if (!isStream) return;
      done();
      incoming.destroy();
    });
    incoming.once('end', done).once('error', reject);
  });
}
