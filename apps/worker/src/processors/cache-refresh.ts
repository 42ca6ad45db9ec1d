/** This file owns the job `cache.refresh`: fetches JSON from a URL and stores it, as it came, in a cache service. */
import { type Cache, readTtl } from '@sluice/cache';
import { defineJob, fatal, type JobDefinition } from '@sluice/jobs';
import { DomainError, JsonText } from '@sluice/runtime';
import { z } from 'zod';
import type { Caches } from '../caches.ts';
import type { EgressGuard } from '../egress/guard.ts';
import { headersSchema, send, timeoutSchema, urlSchema } from './outgoing.ts';

const payload = z.strictObject({
  /** A cache service's name. */
  service: z.string().min(1).max(40),
  key: z.string().min(1).max(1_024),
  url: urlSchema,
  /** Seconds; 0 for ever, -1 or absent the service's default. */
  ttl: z.union([z.number(), z.string()]).optional(),
  headers: headersSchema,
  timeout: timeoutSchema,
});

/** Only a 2xx with JSON is stored; until then the old value stays. Another 3xx or 4xx ends the job. */
export function cacheRefresh(options: {
  egress: EgressGuard;
  caches: Pick<Caches, 'find'>;
}): JobDefinition<z.output<typeof payload>> {
  const { egress, caches } = options;
  return defineJob({
    name: 'cache.refresh',
    payload,
    async run({ service, key, url, ttl, headers, timeout }, { signal }) {
      const { maxValueBytes } = await cacheOf(caches, service);
      const answer = await send(egress, {
        url,
        method: 'GET',
        headers: { accept: 'application/json', ...headers },
        timeoutMs: timeout,
        maxBodyBytes: maxValueBytes,
        signal,
      });
      const { host } = new URL(url);
      if (answer.status < 200 || answer.status > 299) throw fatal(`${host} answered ${answer.status}`);
      if (answer.isTruncated)
        throw fatal(
          `the answer of ${host} is above the limit of ${maxValueBytes} bytes of service '${service}'`,
        );
      const value = readJson(answer.body, host);
      signal.throwIfAborted();
      // Anew: the service may have moved while the answer came.
      const cache = await cacheOf(caches, service);
      await store(cache, { key, value, ttl });
      return { service: cache.name, key, bytes: answer.body.length };
    },
  });
}

async function cacheOf(caches: Pick<Caches, 'find'>, service: string): Promise<Cache> {
  const cache = await caches.find(service.toLowerCase());
  if (!cache) throw fatal(`there is no cache service named '${service}'`);
  return cache;
}

function readJson(body: Buffer, host: string): JsonText {
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(body);
    JSON.parse(text);
    return new JsonText(text);
  } catch (cause) {
    // The engine's message would quote the body.
    throw new DomainError('upstream_failed', `the answer of ${host} is not JSON`, { cause });
  }
}

/** A key or TTL that the cache refuses is refused the next time as well. */
async function store(
  cache: Cache,
  { key, value, ttl }: { key: string; value: JsonText; ttl: unknown },
): Promise<void> {
  try {
    await cache.set(key, value, { ttl: readTtl(ttl) });
  } catch (error) {
    const isRefusal =
      error instanceof DomainError &&
      ['key_invalid', 'ttl_invalid', 'value_invalid', 'value_too_large'].includes(error.code);
    throw isRefusal ? fatal(error.message, { cause: error }) : error;
  }
}
