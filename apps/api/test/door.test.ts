import { describe, expect, it } from 'vitest';
import { startApi } from './harness.ts';

describe('the door', () => {
  it('answers an unknown path, a wrong verb and a missing key in the one envelope', async (t) => {
    const api = await startApi(t);

    const unknown = await api.call('/nothing');
    const wrongVerb = await api.call('/livez', { method: 'POST' });
    const noKey = await api.call('/metrics', { key: null });

    expect(unknown.status).toBe(404);
    expect(await unknown.json()).toMatchObject({
      error: { code: 404, status_code: 404, context: { reason: 'route_unknown' } },
    });
    expect(wrongVerb.status).toBe(405);
    expect(wrongVerb.headers.get('allow')).toBe('GET, HEAD');
    expect(noKey.status).toBe(401);
    expect(noKey.headers.get('www-authenticate')).toBe('Bearer');
  });

  it('keeps a well-formed request id and replaces any other', async (t) => {
    const api = await startApi(t);

    const kept = await api.call('/livez', { headers: { 'X-Request-Id': 'abc-123' } });
    const replaced = await api.call('/livez', { headers: { 'X-Request-Id': 'a b' } });

    expect(kept.headers.get('x-request-id')).toBe('abc-123');
    expect(replaced.headers.get('x-request-id')).toMatch(/^[\w-]{36}$/);
  });

  it('accepts the key as a bearer token, and in the query only when told to', async (t) => {
    const strict = await startApi(t);
    const lenient = await startApi(t, { ALLOW_QUERY_CREDENTIALS: 'true' });

    const bearer = await strict.call('/metrics', {
      key: null,
      headers: { Authorization: `Bearer ${strict.key}` },
    });
    const refused = await strict.call(`/metrics?api_key=${strict.key}`, { key: null });
    const allowed = await lenient.call(`/metrics?api_key=${lenient.key}`, { key: null });

    expect([bearer.status, refused.status, allowed.status]).toEqual([200, 401, 200]);
  });
});
