/** This file owns what must hold of the whole product on every topology: routes, jobs of every kind, board, channels. */
import { describe, expect, it } from 'vitest';
import type { Replay } from './document.ts';
import { unservedRoutes } from './document.ts';
import type { Product } from './product.ts';
import { answerOf, board, receiver } from './topology.ts';

interface QueueView {
  name: string;
  is_paused: boolean;
  counts: Record<string, number>;
}

/** `replayed` is asked for inside the tests; its product has run the HTTP guide. */
export function topologySuite(replayed: () => Replay): void {
  const enqueue = async (product: Product, queue: string, json: unknown, wait = 20) =>
    await answerOf<{ id: string; state: string; result: unknown }>(
      product.call(`/queues/${queue}/jobs?wait=${wait}`, { method: 'POST', json }),
    );

  describe('the whole product', () => {
    it('serves every route as the guide says', async () => {
      const { product, faults, streams } = replayed();

      expect(faults).toEqual([]);
      for (const stream of streams) expect(stream).toMatch(/^id: \d+-\d+\n(event: \w+\n)?data: /m);
      await expect.poll(() => unservedRoutes(product), { timeout: 5_000 }).toEqual([]);
    });

    it('runs jobs of every kind to their end', { timeout: 40_000 }, async (t) => {
      const { product } = replayed();
      const { url, signatures } = await receiver(t);
      const echo = (data: unknown, opts = {}) => ({ name: 'example.echo', data, opts });

      const single = await enqueue(product, 'kinds', echo({ n: 1 }));
      const batch = await answerOf<{ resource: { id: string }[] }>(
        product.call('/queues/kinds/jobs', {
          method: 'POST',
          json: {
            resource: [
              echo({ n: 2 }, { delay: 300 }),
              echo({ n: 3 }, { priority: 5 }),
              { ...echo({ n: 4 }), idempotency_key: 'same' },
              { ...echo({ n: 4 }), idempotency_key: 'same' },
            ],
          },
        }),
      );
      const flow = await answerOf<{ id: string }>(
        product.call('/flows', {
          method: 'POST',
          json: {
            queue: 'kinds',
            ...echo({ step: 'sum' }),
            children: [{ queue: 'kinds', ...echo({ step: 'part' }) }],
          },
        }),
      );
      const scheduler = await product.call('/queues/scheduled/schedulers/often', {
        method: 'PUT',
        json: { schedule: { every: 1_000, limit: 2 }, name: 'example.echo', data: {} },
      });
      const delivery = await answerOf<{ id: string }>(
        product.call('/deliveries', { method: 'POST', json: { url, body: { paid: true } } }),
      );

      expect(single).toMatchObject({ state: 'completed', result: { n: 1 } });
      expect(batch.resource[2]?.id).toBe(batch.resource[3]?.id);
      expect(scheduler.status).toBe(200);
      const ends = await Promise.all(
        [
          ...batch.resource.map(({ id }) => `kinds/jobs/${id}`),
          `kinds/jobs/${flow.id}`,
          `deliveries/jobs/${delivery.id}`,
        ].map((path) => answerOf<{ state: string }>(product.call(`/queues/${path}/result?wait=20`))),
      );
      expect(ends.map(({ state }) => state)).toEqual(Array(6).fill('completed'));
      expect(signatures[0]).toMatch(/^v1,/);
      const made = async () =>
        (await answerOf<QueueView>(product.call('/queues/scheduled'))).counts?.completed;
      await expect.poll(made, { timeout: 10_000 }).toBe(2);
    });

    it('shows every queue on the board, and acts on one job and on all queues from there', {
      timeout: 40_000,
    }, async () => {
      const { product } = replayed();
      const names = ['board-1', 'board-2', 'board-3', 'board-4', 'board-5'];
      for (const queue of names) await enqueue(product, queue, { name: 'example.echo', data: {} });
      const late = await answerOf<{ id: string }>(
        product.call('/queues/board-1/jobs', {
          method: 'POST',
          json: { name: 'example.echo', data: { late: true }, opts: { delay: 3_600_000 } },
        }),
      );
      const paused = async () => {
        const { resource } = await answerOf<{ resource: QueueView[] }>(product.call('/queues'));
        return resource.filter(({ name }) => names.includes(name)).map(({ is_paused }) => is_paused);
      };

      const page = await board(product, '/');
      const listed = await board(product, '/api/queues?activeQueue=board-1&page=1&jobsPerPage=10');
      const promoted = await board(product, `/api/queues/board-1/${late.id}/promote`, 'PUT');
      const held = await board(product, '/api/queues/pause', 'PUT');
      const pausedNow = await paused();
      const resumed = await board(product, '/api/queues/resume', 'PUT');

      expect([page.status, promoted.status, held.status, resumed.status]).toEqual([200, 204, 200, 200]);
      expect(page.body).toContain('<html');
      const { queues } = listed.body as { queues: { name: string; counts: Record<string, number> }[] };
      expect(queues.filter(({ name }) => names.includes(name)).map(({ counts }) => counts.completed)).toEqual(
        [1, 1, 1, 1, 1],
      );
      expect(pausedNow).toEqual(Array(5).fill(true));
      expect(await paused()).toEqual(Array(5).fill(false));
      const end = product.call(`/queues/board-1/jobs/${late.id}/result?wait=20`);
      expect(await answerOf(end)).toMatchObject({ state: 'completed', result: { late: true } });
    });
  });
}
