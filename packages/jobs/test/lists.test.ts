import { describe, expect, it } from 'vitest';
import type { ListedState } from '../src/schemas.ts';
import { type Bundle, setup } from './setup.ts';

/** Ids of all pages; `between` is called after each page. */
async function walk(
  { jobs }: Bundle,
  state: ListedState,
  limit: number,
  between: () => Promise<unknown> = async () => undefined,
): Promise<string[]> {
  const ids: string[] = [];
  let cursor: string | undefined;
  do {
    const page = await jobs.list('q', { state, limit, ...(cursor && { cursor }) });
    ids.push(...page.jobs.map(({ id }) => id));
    cursor = page.next ?? undefined;
    await between();
  } while (cursor);
  return ids;
}

async function fill(
  { jobs }: Bundle,
  count: number,
  opts: (index: number) => object = () => ({}),
): Promise<string[]> {
  const results = await jobs.enqueueMany(
    'q',
    Array.from({ length: count }, (_, index) => ({
      name: index % 2 ? 'odd' : 'even',
      data: { index },
      opts: opts(index),
    })),
  );
  return results.map((each) => (each.ok ? each.job.id : 'failed'));
}

describe('list', () => {
  it('tells waiting jobs in the order they will run', async (t) => {
    const bundle = await setup(t);
    const ids = await fill(bundle, 25);
    const last = await bundle.jobs.enqueue('q', { name: 'n', opts: { lifo: true } });

    expect(await walk(bundle, 'waiting', 10)).toEqual([last.id, ...ids]);
  });

  it('tells each job that stays once while others are taken, added and removed', async (t) => {
    const bundle = await setup(t);
    const { redis, jobs } = bundle;
    const ids = await fill(bundle, 60);
    const wait = `${redis.keys.queuePrefix('q')}:q:wait`;

    const seen = await walk(bundle, 'waiting', 10, async () => {
      await redis.client.rpop(wait, 3);
      await jobs.enqueue('q', { name: 'new' });
    });

    const gone = ids.filter((id) => !seen.includes(id));
    expect(gone).toEqual([]);
    expect(seen.slice(0, 60)).toEqual(ids);
  });

  it('goes on where it was when the last job told is gone', async (t) => {
    const bundle = await setup(t);
    const { jobs } = bundle;
    const ids = await fill(bundle, 20);
    const first = await jobs.list('q', { state: 'waiting', limit: 10 });

    await jobs.remove('q', ids[9] as string);

    const second = await jobs.list('q', { state: 'waiting', limit: 10, cursor: first.next as string });
    expect(second.jobs.map(({ id }) => id)).toEqual(ids.slice(10));
  });

  it('begins anew with what is left when all jobs told have been taken', async (t) => {
    const bundle = await setup(t);
    const ids = await fill(bundle, 30);
    const first = await bundle.jobs.list('q', { state: 'waiting', limit: 10 });

    await bundle.redis.client.rpop(`${bundle.redis.keys.queuePrefix('q')}:q:wait`, 15);

    const second = await bundle.jobs.list('q', {
      state: 'waiting',
      limit: 100,
      cursor: first.next as string,
    });
    expect(second.jobs.map(({ id }) => id)).toEqual(ids.slice(15));
  });

  it('tells delayed and prioritized jobs by their turn, also those of one moment', async (t) => {
    const bundle = await setup(t);
    const at = '2031-01-01T00:00:00Z';
    const delayed = await fill(bundle, 23, () => ({ run_at: at }));
    const prioritized = await fill(bundle, 23, (index) => ({ priority: 1 + (index % 2) }));

    expect(await walk(bundle, 'delayed', 5)).toEqual(delayed);
    const even = prioritized.filter((_, index) => index % 2 === 0);
    const odd = prioritized.filter((_, index) => index % 2 === 1);
    expect(await walk(bundle, 'prioritized', 5)).toEqual([...even, ...odd]);
  });

  it('finds its place among equals when the last one told has left', async (t) => {
    const bundle = await setup(t);
    const { redis, jobs } = bundle;
    const base = `${redis.keys.queuePrefix('q')}:q:`;
    const ids = Array.from(
      { length: 40 },
      (_, index) => `é-${String(index).padStart(2, '0')}-${index % 2 ? 'Z' : 'a'}`,
    );
    for (const id of ids) {
      await redis.client.zadd(`${base}completed`, 5, id);
      await redis.client.hset(base + id, 'timestamp', 1, 'name', 'n');
    }
    const order = [...ids].sort((a, b) => Buffer.compare(Buffer.from(b), Buffer.from(a)));

    const first = await jobs.list('q', { state: 'completed', limit: 15 });
    await redis.client.zrem(`${base}completed`, order[14] as string);
    const second = await jobs.list('q', { state: 'completed', limit: 100, cursor: first.next as string });

    expect([...first.jobs, ...second.jobs].map(({ id }) => id)).toEqual(order);
  });

  it('bounds a page by its size', async (t) => {
    const bundle = await setup(t);
    for (let index = 0; index < 7; index += 1)
      await bundle.jobs.enqueue('q', { name: 'n', data: 'x'.repeat(1_000_000) });

    const page = await bundle.jobs.list('q', { state: 'waiting', limit: 100 });

    expect(page.jobs.length).toBeLessThan(7);
    expect(await walk(bundle, 'waiting', 100)).toHaveLength(7);
  });

  it('refuses a cursor of another state and a page of a thousand', async (t) => {
    const bundle = await setup(t);
    await fill(bundle, 3);
    const { next } = await bundle.jobs.list('q', { state: 'waiting', limit: 1 });

    await expect(bundle.jobs.list('q', { state: 'failed', cursor: next as string })).rejects.toMatchObject({
      code: 'job_invalid',
    });
    await expect(bundle.jobs.list('q', { state: 'waiting', limit: 1_000 })).rejects.toMatchObject({
      code: 'job_invalid',
    });
  });
});

describe('search', () => {
  it('finds by name, part of the id and part of the data, and says how many it looked at', async (t) => {
    const bundle = await setup(t);
    const { jobs } = bundle;
    const ids = await fill(bundle, 50);

    const byName = await jobs.search('q', { state: 'waiting', name: 'odd', limit: 100 });
    const byData = await jobs.search('q', { state: 'waiting', text: '"index":17}' });
    const byId = await jobs.search('q', { state: 'waiting', id: (ids[30] as string).slice(10) });
    const none = await jobs.search('q', { state: 'waiting', text: '%d+' });

    expect(byName.jobs).toHaveLength(25);
    expect(byData.jobs.map(({ id }) => id)).toEqual([ids[17]]);
    expect(byId.jobs.map(({ id }) => id)).toEqual([ids[30]]);
    expect(none).toEqual({ jobs: [], examined: 50, next: null });
  });

  it('goes on behind the last job it looked at', async (t) => {
    const bundle = await setup(t);
    const { jobs } = bundle;
    await fill(bundle, 20);

    const first = await jobs.search('q', { state: 'waiting', name: 'even', limit: 3 });
    const second = await jobs.search('q', {
      state: 'waiting',
      name: 'even',
      limit: 100,
      cursor: first.next as string,
    });

    expect(first.examined).toBe(5);
    expect([...first.jobs, ...second.jobs].map(({ data }) => data.toJSON())).toEqual(
      Array.from({ length: 10 }, (_, index) => ({ index: index * 2 })),
    );
  });
});
