import { resolve } from 'node:path';
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
});
