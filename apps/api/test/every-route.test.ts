import { type RouteDeclaration, routes } from '@sluice/contract';
import { describe, expect, it } from 'vitest';
import { startApi } from './harness.ts';

const all: readonly RouteDeclaration[] = Object.values(routes);
const guarded = all.filter(({ access }) => access !== 'public');
const withBody = guarded.filter(({ body }) => body !== undefined && !body.isOptional);

/** A value for each path parameter that its schema accepts. */
const SAMPLES: Record<string, string> = {
  service: 'redis',
  key: 'a',
  queue: 'mail',
  id: 'j_0',
  policy: 'p',
  channel: 'c',
  user_id: 'u',
  lease: 'l',
};

function pathOf({ path }: RouteDeclaration): string {
  return path.replace(/\{(\w+)\}/g, (_, name: string) => SAMPLES[name] ?? name);
}

describe('every route', () => {
  it('refuses a caller without a key, with a wrong one and with a revoked one', async (t) => {
    const api = await startApi(t);
    for (const declaration of guarded) {
      for (const key of [null, 'not-a-key-0123456789']) {
        const answer = await api.call(pathOf(declaration), { method: declaration.method.toUpperCase(), key });

        expect([declaration.id, answer.status]).toEqual([declaration.id, 401]);
        expect(await answer.json()).toMatchObject({ error: { context: { reason: 'unauthenticated' } } });
      }
    }
  });

  it('refuses a key whose scopes do not name it, before it reads the body', async (t) => {
    const api = await startApi(t);
    for (const declaration of guarded) {
      if (typeof declaration.access === 'string') continue;
      const { area } = declaration.access;
      const others = [
        'cache:*',
        'jobs:*',
        'deliveries:*',
        'limits:*',
        'sessions:*',
        'channels:*',
        'metrics:*',
        'system:*',
        'board:*',
      ];
      const key = await api.makeKey(others.filter((scope) => !scope.startsWith(`${area}:`)));

      const answer = await api.call(pathOf(declaration), { method: declaration.method.toUpperCase(), key });

      expect([declaration.id, answer.status]).toEqual([declaration.id, 403]);
    }
  });

  it('answers 415 to another media type, 400 to malformed JSON and to none, 413 to too much', async (t) => {
    const api = await startApi(t, { MAX_VALUE_BYTES: '2048', MAX_BATCH_BYTES: '2048' });
    for (const declaration of withBody) {
      const send = async (body: string, type: string) => {
        const method = declaration.method.toUpperCase();
        return (await api.call(pathOf(declaration), { method, body, headers: { 'Content-Type': type } }))
          .status;
      };

      const statuses = {
        route: declaration.id,
        form: await send('a=b', 'application/x-www-form-urlencoded'),
        malformed: await send('{"a":', 'application/json'),
        empty: await send('', 'application/json'),
        tooLarge: await send(`"${'x'.repeat(3_000)}"`, 'application/json'),
        tooDeep: await send(`${'['.repeat(1_020)}1`, 'application/json'),
      };

      expect(statuses).toEqual({
        route: declaration.id,
        form: 415,
        malformed: 400,
        empty: 400,
        tooLarge: 413,
        tooDeep: 400,
      });
    }
  });

  it('states whom it lets in, and has an id of its own', () => {
    expect(all.map(({ access }) => access)).not.toContain(undefined);
    expect(new Set(all.map(({ id }) => id)).size).toBe(all.length);
    for (const [id, declaration] of Object.entries(routes)) expect(declaration.id).toBe(id);
  });
});
