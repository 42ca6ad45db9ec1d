import { testServer } from '@sluice/redis/testing';
import { describe, expect, it } from 'vitest';
import { startApi } from './harness.ts';

describe('metrics', () => {
  it('tells requests, jobs by state and each Redis', async (t) => {
    const api = await startApi(t);
    await api.call('/api/v2/queues/mail/jobs', { method: 'POST', json: { name: 'welcome', data: {} } });

    const text = await (await api.call('/metrics')).text();

    expect(text).toMatch(
      /^sluice_http_request_duration_seconds_count\{route="enqueueJobs",status="201"\} 1$/m,
    );
    expect(text).toMatch(/^sluice_jobs\{queue="mail",state="waiting"\} 1$/m);
    expect(text).toMatch(/^sluice_queue_paused\{queue="mail"\} 0$/m);
    expect(text).toMatch(/^sluice_redis_up\{connection="queue"\} 1$/m);
    expect(text).toMatch(/^sluice_redis_used_memory_bytes\{connection="queue"\} \d+$/m);
    expect(text).toMatch(/^sluice_redis_evicted_keys_total\{connection="cache"\} 0$/m);
  });

  it('is answered while Redis is away, with a 0 for it and nothing of what is in there', async (t) => {
    const server = await testServer(t);
    const api = await startApi(t, { REDIS_URL: server.url });
    await api.call('/api/v2/queues/mail/jobs', { method: 'POST', json: { name: 'welcome', data: {} } });
    await server.kill();
    const startedAt = performance.now();

    const answer = await api.call('/metrics');
    const text = await answer.text();

    expect(answer.status).toBe(200);
    expect(performance.now() - startedAt).toBeLessThan(2_000);
    expect(text).toMatch(/^sluice_redis_up\{connection="queue"\} 0$/m);
    expect(text).not.toMatch(/^sluice_(jobs|redis_used_memory_bytes)\{/m);
  });
});
