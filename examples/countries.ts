/**
 * The 250 countries of the public data set `world-countries`, refreshed into a cache by background jobs.
 *
 * This program is the upstream (a small HTTP server with the data) and the client: it enqueues one `cache.refresh` job for
 * each country, waits for the results, and reads the values back by the published page's own calls.
 *
 *   EGRESS_ALLOW=127.0.0.1 npm start                        # in one terminal: jobs may reach this program's server
 *   SLUICE_API_KEY=<the key it printed> npm run countries   # in another
 */
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';

interface Country {
  cca3: string;
  name: { common: string };
  region: string;
  area: number;
  languages: Record<string, string>;
}

interface JobEnd {
  id: string;
  state: string;
  error: { code: string; message: string } | null;
}

const countries = createRequire(import.meta.url)('world-countries/countries.json') as Country[];
const baseUrl = process.env.SLUICE_URL ?? 'http://localhost:8080';
const apiKey = process.env.SLUICE_API_KEY;
const QUEUE = 'countries';
/** Results are waited for side by side; each wait holds one connection. */
const WAITS_AT_ONCE = 25;

if (!apiKey) {
  console.error('Set SLUICE_API_KEY to the key that `npm start` printed.');
  process.exit(2);
}

const upstream = await serveCountries(new Map(countries.map((country) => [country.cca3, country])));
try {
  const startedAt = performance.now();
  const ids = await enqueueAll(upstream.url);
  console.log(`enqueued ${ids.length} jobs in one request`);

  const ends = await waitForAll(ids);
  const failed = ends.filter(({ state }) => state !== 'completed');
  if (failed.length > 0) {
    console.error(`${failed.length} jobs failed, the first with: ${failed[0]?.error?.message}`);
    console.error('If it is the address, start the product with EGRESS_ALLOW=127.0.0.1');
    process.exitCode = 1;
  } else {
    console.log(`${ends.length} jobs completed in ${Math.round(performance.now() - startedAt)} ms`);
    await report();
  }
} finally {
  upstream.close();
}

async function enqueueAll(upstreamUrl: string): Promise<string[]> {
  const resource = countries.map(({ cca3 }) => ({
    name: 'cache.refresh',
    data: { url: `${upstreamUrl}/${cca3}`, service: 'redis', key: `country:${cca3}`, ttl: 3_600 },
    opts: { attempts: 3, backoff: { type: 'exponential', delay: 500 } },
  }));
  const reply = await call<{ resource: { id: string }[] }>('POST', `/queues/${QUEUE}/jobs`, { resource });
  return reply.resource.map(({ id }) => id);
}

async function waitForAll(ids: readonly string[]): Promise<JobEnd[]> {
  const ends: JobEnd[] = [];
  for (let from = 0; from < ids.length; from += WAITS_AT_ONCE) {
    const waits = ids
      .slice(from, from + WAITS_AT_ONCE)
      .map((id) => call<JobEnd>('GET', `/queues/${QUEUE}/jobs/${id}/result?wait=30`));
    ends.push(...(await Promise.all(waits)));
  }
  return ends;
}

/** The published page's own calls: list, get, check, delete. */
async function report(): Promise<void> {
  const { resource } = await call<{ resource: { key: string }[] }>('GET', '/redis/');
  const keys = resource.map(({ key }) => key).filter((key) => key.startsWith('country:'));
  const cached = await Promise.all(
    keys.map((key) => call<{ key: string; value: Country }>('GET', `/redis/${key}`)),
  );
  const byRegion = new Map<string, { countries: number; area: number }>();
  for (const { value } of cached) {
    const region = byRegion.get(value.region) ?? { countries: 0, area: 0 };
    byRegion.set(value.region, { countries: region.countries + 1, area: region.area + value.area });
  }
  console.log(`the cache holds ${cached.length} countries:`);
  for (const [region, { countries: count, area }] of [...byRegion].sort(([a], [b]) => a.localeCompare(b))) {
    console.log(
      `  ${region.padEnd(10)} ${String(count).padStart(3)} countries ${Math.round(area).toLocaleString('en').padStart(12)} km²`,
    );
  }

  const { value } = await call<{ value: Country }>('GET', '/redis/country:CHE');
  console.log(`Switzerland speaks ${Object.values(value.languages).sort().join(', ')}`);
  const before = await call<{ exists: boolean }>('GET', '/redis/country:CHE?check_exist=true');
  await call('DELETE', '/redis/country:CHE');
  const after = await call<{ exists: boolean }>('GET', '/redis/country:CHE?check_exist=true');
  console.log(`country:CHE existed: ${before.exists}; after its deletion: ${after.exists}`);
}

async function call<T>(method: string, path: string, body?: unknown): Promise<T> {
  const response = await fetch(`${baseUrl}/api/v2${path}`, {
    method,
    headers: { 'X-DreamFactory-API-Key': apiKey ?? '', 'Content-Type': 'application/json' },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  const reply = (await response.json()) as T & { error?: { message: string } | null };
  if (!response.ok) throw new Error(`${method} ${path} answered ${response.status}: ${reply.error?.message}`);
  return reply;
}

async function serveCountries(byCode: ReadonlyMap<string, Country>) {
  const server = createServer((request, response) => {
    const country = byCode.get(request.url?.slice(1) ?? '');
    response.writeHead(country ? 200 : 404, { 'Content-Type': 'application/json' });
    response.end(JSON.stringify(country ?? { error: 'no such country' }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, close: () => server.close() };
}
