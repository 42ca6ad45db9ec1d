import { resolve } from 'node:path';
import { guardedServer } from '@sluice/redis/testing';
import { describe, expect, it } from 'vitest';
import { KEY, OwnRedis, Program, startProduct } from './product.ts';

const ROOT = resolve(import.meta.dirname, '../..');

describe('examples', () => {
  it('countries: moves 250 countries through jobs into the cache', { timeout: 90_000 }, async (t) => {
    const redis = await OwnRedis.start(t);
    const product = await startProduct(t, redis.url, { EGRESS_ALLOW: '127.0.0.1' });

    const example = new Program(
      process.execPath,
      ['--import', 'tsx', 'examples/countries.ts'],
      { ...process.env, SLUICE_URL: product.url, SLUICE_API_KEY: KEY },
      ROOT,
    );
    t.onTestFinished(() => example.kill());

    expect(await example.exited).toBe(0);
    expect(example.output.replace(/\d+ ms/, '… ms')).toBe(`enqueued 250 jobs in one request
250 jobs completed in … ms
the cache holds 250 countries:
  Africa      59 countries   30,318,417 km²
  Americas    56 countries   42,077,922 km²
  Antarctic    5 countries   14,012,111 km²
  Asia        50 countries   32,138,141 km²
  Europe      53 countries   23,022,897 km²
  Oceania     27 countries    8,515,313 km²
Switzerland speaks French, Italian, Romansh, Swiss German
country:CHE existed: true; after its deletion: false
`);
  });

  it('shared-upstream: two services, one cache and one throttle: each thing is fetched once, no faster than allowed', {
    timeout: 90_000,
  }, async (t) => {
    const output = await runWithRedis(t, 'shared-upstream.ts');

    const lines = output.replace(/together: [\d, then]+\(/, 'together: … (').replace(/in \d+ ms/, 'in … ms');
    expect(lines).toBe(`400 requests for 8 cities, to two services at the same time
all answered alike: true
calls of the upstream: 8
of which came together: … (4 a second may)
done in … ms
400 requests more: still 8 calls of the upstream
`);
    // Eight calls at four a second: the second half waits for the next.
    expect(Number(/in (\d+) ms/.exec(output)?.[1])).toBeGreaterThanOrEqual(1_000);
  });

  it('shared-session: a visitor of one application is known at the other, and signed out of both', {
    timeout: 90_000,
  }, async (t) => {
    expect(await runWithRedis(t, 'shared-session.ts')).toBe(`forum: nobody is signed in
shop:  welcome, ada
forum: ada, with {"theme":"light"}
forum: the theme is dark
shop:  ada, with {"theme":"dark"}
forum: signed out
shop:  nobody is signed in
`);
  });
});

/** What an example prints that needs a Redis and no product. It ends, and so do the processes it started. */
async function runWithRedis(t: Parameters<typeof OwnRedis.start>[0], file: string): Promise<string> {
  const redis = await OwnRedis.start(t, [], guardedServer({ isAnyKey: true }));
  const example = new Program(
    process.execPath,
    ['--conditions=@sluice/source', '--import', 'tsx', `examples/${file}`],
    { ...process.env, REDIS_URL: redis.url },
    ROOT,
  );
  t.onTestFinished(() => example.kill());
  expect(await example.exited, example.output).toBe(0);
  return example.output;
}
