/**
 * This file owns the cancelling of a running job: how a request is kept, and how the process that runs the job hears of it.
 *
 * A request is BullMQ's own deferred failure, the field `defa` of the job's hash. So it needs no key of its own, goes
 * with the job, survives a restart of anything, and a redelivery, a stock BullMQ worker included, fails the job as well.
 * Whoever runs jobs reads the field of those it runs every `CANCEL_POLL_MS`: no subscription that could miss a message.
 */
import type { RedisClient } from '@sluice/redis';
import { readFailure, writeFailure } from './failure.ts';

/** What `defa` is set to; becomes the job's `failedReason`. */
export const CANCELLED_REASON = writeFailure({ code: 'cancelled', message: 'cancelled on request' });
export const DEFERRED_FAILURE_FIELD = 'defa';
/** A cancel reaches its job within 1 s; this leaves the rest to a slow Redis. */
export const CANCEL_POLL_MS = 400;

/** `jobKey` is the job's hash, `{prefix}:{queue}:{id}`. */
export async function isCancelRequested(client: RedisClient, jobKey: string): Promise<boolean> {
  return isCancellation(await client.hget(jobKey, DEFERRED_FAILURE_FIELD));
}

/** A parent whose child failed has a deferred failure too, and is not cancelled by it. */
export function isCancellation(deferredFailure: string | null | undefined): boolean {
  return typeof deferredFailure === 'string' && readFailure(deferredFailure).code === 'cancelled';
}

export interface CancelWatchOptions {
  client: RedisClient;
  /** The hashes of the jobs running now. */
  runningKeys: () => readonly string[];
  onCancel: (jobKey: string) => void;
  pollMs?: number | undefined;
}

/** Reads, while jobs run, which of them are to be cancelled. Rests when none runs. */
export class CancelWatch {
  readonly #options: CancelWatchOptions;
  readonly #timer: NodeJS.Timeout;
  #isReading = false;

  constructor(options: CancelWatchOptions) {
    this.#options = options;
    this.#timer = setInterval(() => void this.#read(), options.pollMs ?? CANCEL_POLL_MS).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  async #read(): Promise<void> {
    const { client, runningKeys, onCancel } = this.#options;
    const keys = runningKeys();
    if (this.#isReading || keys.length === 0) return;
    this.#isReading = true;
    try {
      const pipeline = client.pipeline();
      for (const key of keys) pipeline.hget(key, DEFERRED_FAILURE_FIELD);
      const replies = await pipeline.exec();
      for (const [index, [, deferred]] of (replies ?? []).entries()) {
        if (isCancellation(deferred as string | null)) onCancel(keys[index] as string);
      }
    } catch {
      // Redis is away: the request is still in the job's hash when it is back, and the next round reads it.
    } finally {
      this.#isReading = false;
    }
  }
}
