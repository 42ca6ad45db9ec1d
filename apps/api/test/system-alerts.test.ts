import { describe, expect, it } from 'vitest';
import { startApi } from './harness.ts';

const ALERT = '/api/v2/system/alert';

describe('alerts', () => {
  it('are built in, and become one’s own by a change until that is removed', async (t) => {
    const api = await startApi(t);
    const body = async (path: string, init = {}) => (await api.call(path, init)).json();

    const { resource } = (await body(ALERT)) as { resource: { name: string; origin: string }[] };
    const patched = await api.call(`${ALERT}/redis-memory`, { method: 'PATCH', json: { threshold: 0.9 } });
    const own = await patched.json();
    const shown = await body(`${ALERT}/redis-memory`);
    await api.call(`${ALERT}/redis-memory`, { method: 'DELETE' });
    const again = await body(`${ALERT}/redis-memory`);

    expect(resource).toHaveLength(10);
    expect(new Set(resource.map(({ origin }) => origin))).toEqual(new Set(['built_in']));
    expect(patched.status).toBe(200);
    expect(own).toMatchObject({
      name: 'redis-memory',
      rule: 'redis_memory',
      threshold: 0.9,
      for_seconds: 300,
      quiet_seconds: 3_600,
      endpoint: 'alerts',
      origin: 'system',
      deletable: true,
    });
    expect(shown).toEqual(own);
    expect(again).toMatchObject({ threshold: 0.8, origin: 'built_in', mutable: true, deletable: false });
  });

  it('are made with what their rule leaves out, and refused with every fault', async (t) => {
    const api = await startApi(t);

    const made = await api.call(ALERT, {
      method: 'POST',
      json: { name: 'slow-mail', rule: 'oldest_age', subjects: ['mail'] },
    });
    const twice = await api.call(ALERT, { method: 'POST', json: { name: 'slow-mail', rule: 'stalled' } });
    const wrong = await api.call(ALERT, {
      method: 'POST',
      json: { name: 'Not So', rule: 'oldest_age', threshold: -1, other: 1 },
    });

    expect(made.status).toBe(201);
    expect(await made.json()).toMatchObject({
      resource: [{ name: 'slow-mail', threshold: 300, for_seconds: 60, is_active: true, version: 1 }],
    });
    expect(twice.status).toBe(409);
    expect(wrong.status).toBe(400);
    const { error } = (await wrong.json()) as { error: { context: { reason: string; issues: unknown[] } } };
    expect(error.context.reason).toBe('record_invalid');
    expect(error.context.issues).toHaveLength(3);
  });

  it('send a test to their endpoint, and say when there is none', async (t) => {
    const api = await startApi(t);

    const nobody = await api.call(`${ALERT}/redis-down/_test`, { method: 'POST' });
    await api.call('/api/v2/deliveries/endpoints/alerts', {
      method: 'PUT',
      json: { url: 'https://example.com/hook' },
    });
    const sent = await api.call(`${ALERT}/redis-down/_test`, { method: 'POST' });
    const unknown = await api.call(`${ALERT}/none/_test`, { method: 'POST' });

    expect([nobody.status, sent.status, unknown.status]).toEqual([404, 202, 404]);
    const { id, queue } = (await sent.json()) as { id: string; queue: string };
    const job = (await (await api.call(`/api/v2/queues/${queue}/jobs/${id}`)).json()) as {
      data: { body: string };
    };
    expect(JSON.parse(job.data.body)).toMatchObject({ type: 'alert.test', data: { alert: 'redis-down' } });
  });

  it('stand nowhere while all is well', async (t) => {
    const api = await startApi(t);

    expect(await (await api.call('/api/v2/system/alert_state')).json()).toEqual({ resource: [] });
  });
});
