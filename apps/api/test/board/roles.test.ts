import { describe, expect, it } from 'vitest';
import { openBullBoard } from '../../src/board/bull-board.ts';
import { offerOf } from '../../src/board/routes.ts';
import { boardUnderTest } from './setup.ts';

/** Who may what. A route that Bull Board gains has to be judged before it is offered. */
const ROLES: Readonly<Record<string, readonly string[]>> = {
  viewer: [
    'GET /api/job-schedulers',
    'GET /api/queues',
    'GET /api/queues/:queueName/:jobId',
    'GET /api/queues/:queueName/:jobId/flow',
    'GET /api/queues/:queueName/:jobId/logs',
    'GET /api/queues/:queueName/default-job-options',
    'GET /api/queues/:queueName/job-data-schema',
    'GET /api/queues/:queueName/metrics',
    'GET /api/queues/:queueName/rate-limit',
  ],
  admin: [
    'PUT /api/queues/:queueName/empty',
    'PUT /api/queues/:queueName/job-schedulers/:schedulerId/remove',
    'PUT /api/queues/:queueName/obliterate',
  ],
};
const { routes } = openBullBoard('/admin/queues');

/** A request for each route, of a queue that there is. */
function requestOf({ method, path }: { method: string; path: string }) {
  const filled = path
    .replace(':queueName', 'mail')
    .replace(':jobId', 'j_1')
    .replace(':schedulerId', 'nightly')
    .replace(':queueStatus', 'failed');
  const init = method === 'GET' ? {} : { body: '{}', headers: { 'Content-Type': 'application/json' } };
  return [filled, { method, ...init }] as const;
}

describe('roles on the board', () => {
  it('every route that is offered takes one, and what changes something takes more than a look', () => {
    const offers = routes.map((route) => ({ name: `${route.method} ${route.path}`, offer: offerOf(route) }));
    const of = (role: string) => offers.flatMap(({ name, offer }) => (offer === role ? [name] : [])).sort();

    expect({ viewer: of('viewer'), admin: of('admin') }).toEqual(ROLES);
    expect(of('operator').filter((name) => name.startsWith('GET'))).toEqual([]);
    expect(of('operator').length).toBeGreaterThan(10);
  });

  it('a viewer and an operator are refused by the server what they may not, and nothing is changed', async (t) => {
    const board = await boardUnderTest(t);
    const mail = await board.queue('mail');
    await mail.add('a', {}, { jobId: 'j_1' });
    await mail.upsertJobScheduler('nightly', { every: 3_600_000 }, { name: 'nightly', data: {} });
    const keys = {
      viewer: await board.makeKey(['board:read', 'jobs:*']),
      // Without the right to the queue, the role alone moves nothing.
      reader: await board.makeKey(['board:*', 'jobs:read']),
      operator: await board.makeKey(['board:*', 'jobs:*']),
    };
    const before = await board.dump();

    const answered = async (key: string, roles: readonly unknown[]) => {
      const statuses = new Set<number>();
      for (const route of routes.filter((each) => roles.includes(offerOf(each)))) {
        statuses.add((await board.fetchAs(key, ...requestOf(route))).status);
      }
      return [...statuses];
    };

    expect(await answered(keys.viewer, ['operator', 'admin'])).toEqual([403]);
    expect(await answered(keys.operator, ['admin'])).toEqual([403]);
    const ofQueue = routes.filter((each) => offerOf(each) === 'operator' && each.path.includes(':queueName'));
    for (const route of ofQueue) {
      const response = await board.fetchAs(keys.reader, ...requestOf(route));
      expect([route.path, response.status]).toEqual([route.path, 403]);
    }
    expect((await board.fetchAs(keys.reader, '/api/queues/pause', { method: 'PUT' })).status).toBe(200);
    expect(await board.dump()).toEqual(before);
  });

  it('a key acts on the queues of its scopes and knows of no other, counts included', async (t) => {
    const board = await boardUnderTest(t);
    const acme = await board.queue('acme-mail');
    const other = await board.queue('other-mail');
    await acme.addBulk([1, 2].map((n) => ({ name: 'a', data: {}, opts: { jobId: `j_${n}` } })));
    await other.add('a', {}, { jobId: 'j_9' });
    const key = await board.makeKey(['board:*', 'jobs:*:acme-*']);

    const text = await (await board.fetchAs(key, '/api/queues')).text();
    const listed = JSON.parse(text) as { queues: { name: string; counts: { waiting: number } }[] };
    expect(listed.queues.map(({ name, counts }) => [name, counts.waiting])).toEqual([['acme-mail', 2]]);
    expect(text).not.toContain('other');
    const schedulers = await (await board.fetchAs(key, '/api/job-schedulers')).text();
    expect(schedulers).not.toContain('other');

    expect((await board.fetchAs(key, '/api/queues/pause', { method: 'PUT' })).status).toBe(200);
    expect([await acme.isPaused(), await other.isPaused()]).toEqual([true, false]);
    expect((await board.fetchAs(key, '/api/queues/other-mail/j_9/clean', { method: 'PUT' })).status).toBe(
      404,
    );
    expect((await board.fetchAs(key, '/api/queues/acme-mail/j_1/clean', { method: 'PUT' })).status).toBe(204);
    expect([await acme.getJob('j_1'), (await other.getJob('j_9'))?.id]).toEqual([undefined, 'j_9']);
  });

  it('an admin removes a queue that is paused', async (t) => {
    const board = await boardUnderTest(t);
    const mail = await board.queue('mail');
    await mail.add('a', {}, { jobId: 'j_1' });
    const admin = await board.makeKey(['*']);

    expect((await board.fetchAs(admin, '/api/queues/mail/obliterate', { method: 'PUT' })).status).toBe(400);
    await mail.pause();
    const gone = await board.fetchAs(admin, '/api/queues/mail/obliterate', { method: 'PUT' });

    expect([gone.status, await mail.getJob('j_1')]).toEqual([200, undefined]);
  });
});
