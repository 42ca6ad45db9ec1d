/** This file owns how the harness calls the API: over kept connections, to the end of each answer, with the time it took. */
import { Agent, type IncomingMessage, request } from 'node:http';
import { KEY } from '../e2e/product.ts';

/** Longer than any promise: what is not answered by then hangs. */
const GIVE_UP_MS = 10_000;

export interface Answer {
  /** 0: no answer; `code` says why. */
  status: number;
  code: string;
  ms: number;
  body: unknown;
}

export interface CallOptions {
  method?: string;
  json?: unknown;
  headers?: Record<string, string>;
  giveUpMs?: number;
}

export class Door {
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 512 });
  readonly #urls: () => readonly string[];
  #next = 0;

  /** `urls` answers where the API is just now; calls take turns. */
  constructor(urls: () => readonly string[]) {
    this.#urls = urls;
  }

  /** `path` below `/api/v2`, or from the root with `//`. Never rejects. */
  call(
    path: string,
    { method = 'GET', json, headers, giveUpMs = GIVE_UP_MS }: CallOptions = {},
  ): Promise<Answer> {
    const urls = this.#urls();
    const base = urls[this.#next++ % urls.length] as string;
    const url = path.startsWith('//') ? `${base}${path.slice(1)}` : `${base}/api/v2${path}`;
    const text = json === undefined ? undefined : JSON.stringify(json);
    const startedAt = performance.now();
    return new Promise((resolve) => {
      const end = (status: number, code: string, body: unknown) =>
        resolve({ status, code, body, ms: performance.now() - startedAt });
      const sent = request(
        url,
        {
          agent: this.#agent,
          method,
          signal: AbortSignal.timeout(giveUpMs),
          headers: {
            'X-DreamFactory-API-Key': KEY,
            ...(text !== undefined && {
              'Content-Type': 'application/json',
              'Content-Length': String(Buffer.byteLength(text)),
            }),
            ...headers,
          },
        },
        (answer) => {
          readText(answer).then(
            (body) => end(answer.statusCode ?? 0, String(answer.statusCode), parsed(body)),
            (error: NodeJS.ErrnoException) => end(0, error.code ?? error.name, undefined),
          );
        },
      );
      sent.once('error', (error: NodeJS.ErrnoException) => end(0, error.code ?? error.name, undefined));
      sent.end(text);
    });
  }

  close(): void {
    this.#agent.destroy();
  }
}

async function readText(answer: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of answer) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // Not every answer is JSON: metrics, or half of one.
    return text;
  }
}
