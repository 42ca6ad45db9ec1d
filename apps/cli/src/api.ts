/** This file owns how a command reaches a running API: its options, the typed client, and failures in words. The contract is loaded here, by the commands that need it. */
import type { ApiError, Client, routes } from '@sluice/contract';
import { stringifyCarrying } from '@sluice/runtime';
import type { Command } from 'commander';
import { readApiAddress } from './config.ts';
import { type ReceivedEvent, receivedEvents } from './event-stream.ts';
import { CommandFailure } from './failure.ts';
import { failed, refusalOf, stranger, unreachable } from './refusal.ts';
import type { Terminal } from './terminal.ts';

/** Options of every command that speaks to the API. */
export interface ApiOptions {
  url?: string;
  key?: string;
  json?: true;
}

export interface Api {
  /** `JsonText` in a body is sent as its own text. */
  client: Client<typeof routes>;
  isJson: boolean;
  /** The text that an answer of `client` came in: numbers beyond a double's, and spellings, are as they were sent. */
  textOf(answer: object): string;
  /** The API's own refusal, when `error` is one; `undefined` for whatever else. */
  refusal(error: unknown): ApiError | undefined;
  /** Nobody of ours answered: worth another try. */
  isAway(error: unknown): boolean;
  /** What happens to a job, from behind `lastEventId`; rejects as the client does. */
  jobEvents(
    job: { queue: string; id: string },
    options: { lastEventId: string | undefined; signal: AbortSignal },
  ): AsyncGenerator<ReceivedEvent>;
}

/** Above the longest life of a stream, which is 35 minutes. */
const STREAM_TIMEOUT_MS = 3_600_000;

/** Adds the options by which every command finds the API, and `--json`. */
export function speaksToApi(command: Command): Command {
  return command
    .option('--url <url>', 'where the API is; default SLUICE_URL, else http://localhost:8080')
    .option('--key <key>', 'API key; default SLUICE_API_KEY, which other users of this machine cannot see')
    .option('--json', 'print JSON: one value, or one a line');
}

/** Runs `work` with the API; what the API refuses, and its absence, becomes a failure in words. */
export async function withApi<T>(
  options: ApiOptions,
  terminal: Terminal,
  work: (api: Api) => Promise<T>,
): Promise<T> {
  const { url, key } = readApiAddress(terminal.variables, options);
  const isJson = options.json === true;
  const { ApiError, createClient, routes } = await import('@sluice/contract');

  const texts = new WeakMap<object, string>();
  const json = {
    stringify: stringifyCarrying,
    parse: (text: string) => {
      const value: unknown = JSON.parse(text);
      if (typeof value === 'object' && value !== null) texts.set(value, text);
      return value;
    },
  };
  const shared = { baseUrl: url, apiKey: key.reveal(), json };
  const strangers = new WeakSet<object>();
  const fetchKnown: typeof fetch = async (...request) => {
    const response = await fetch(...request);
    // On every answer of ours, and rarely on another's.
    if (response.headers.has('x-request-id')) return response;
    await response.body?.cancel();
    const failure = stranger(url, response.status, isJson);
    strangers.add(failure);
    throw failure;
  };

  const api: Api = {
    client: createClient(routes, { ...shared, fetch: fetchKnown }),
    isJson,
    textOf: (answer) => texts.get(answer) ?? JSON.stringify(answer),
    refusal: (error) => (error instanceof ApiError ? error : undefined),
    isAway: (error) => codeOf(error) !== undefined || strangers.has(error as object),
    async *jobEvents({ queue, id }, { lastEventId, signal }) {
      const answered: { body: ReadableStream<Uint8Array> | null } = { body: null };
      const client = createClient(routes, {
        ...shared,
        timeoutMs: STREAM_TIMEOUT_MS,
        fetch: async (...request) => {
          const response = await fetchKnown(...request);
          if (response.ok) answered.body = response.body;
          return response;
        },
      });
      await client.streamJobEvents({
        params: { queue, id },
        query: { last_event_id: lastEventId },
        signal,
      });
      if (answered.body !== null) yield* receivedEvents(answered.body);
    },
  };
  try {
    return await work(api);
  } catch (error) {
    if (error instanceof ApiError) throw failed(refusalOf(error), { isJson });
    const code = codeOf(error);
    if (code !== undefined) throw unreachable(url, code, isJson);
    throw error;
  }
}

/** Why `fetch` got no answer: the system's code, or its own words. `undefined` when it is something else that failed. */
function codeOf(error: unknown): string | undefined {
  if (error instanceof CommandFailure) return undefined;
  if (error instanceof DOMException && error.name === 'TimeoutError') return 'TIMEOUT';
  if (!(error instanceof TypeError)) return undefined;
  const { cause } = error;
  if (!(cause instanceof Error)) return undefined;
  return 'code' in cause ? String(cause.code) : cause.message;
}
