/** This file owns who may call, in every kind there is, made from the list of scopes: a new scope makes a new caller. */
import { type Area, Grants, SCOPE_VERBS, type Verb } from '@sluice/access';
import type { TestApi } from '../../apps/api/test/harness.ts';

export interface Caller {
  name: string;
  headers: Readonly<Record<string, string>>;
  /** `undefined`: opens nothing, and is told 401. */
  grants: Grants | undefined;
}

/** What no probe is about, so that a right to it is a right to something else. */
const ELSEWHERE: Partial<Record<Area, string>> = {
  cache: 'elsewhere/*',
  jobs: 'elsewhere*',
  limits: 'elsewhere*',
  channels: 'elsewhere*',
};

const HEADER = 'X-DreamFactory-API-Key';

/** Without a key, with one that never was, with one that is over. */
export async function strangers(api: TestApi): Promise<Caller[]> {
  const made = async (change: (id: string) => Promise<Response>): Promise<string> => {
    const answer = await api.call('/api/v2/system/key', {
      method: 'POST',
      json: { label: 'over', scopes: ['*'] },
    });
    const { id, key } = (await answer.json()) as { id: string; key: string };
    await change(id);
    return key;
  };
  const revoked = await made((id) => api.call(`/api/v2/system/key/${id}`, { method: 'DELETE' }));
  const suspended = await made((id) =>
    api.call(`/api/v2/system/key/${id}`, { method: 'PATCH', json: { is_active: false } }),
  );
  const rotated = await made((id) =>
    api.call(`/api/v2/system/key/${id}/rotate`, { method: 'POST', json: { overlap: 0 } }),
  );
  const expired = await made((id) =>
    api.call(`/api/v2/system/key/${id}`, {
      method: 'PATCH',
      json: { expires_at: new Date(Date.now() + 1_000).toISOString() },
    }),
  );
  const signedIn = await fetch(`${api.url}/admin/login`, {
    method: 'POST',
    redirect: 'manual',
    headers: { 'Content-Type': 'application/x-www-form-urlencoded', 'Sec-Fetch-Site': 'same-origin' },
    body: new URLSearchParams({ key: api.key }),
  });
  const [cookie = ''] = signedIn.headers.getSetCookie();
  if (cookie === '') throw new Error(`not signed in to the console: ${signedIn.status}`);
  const kinds: Record<string, Record<string, string>> = {
    'no key': {},
    'an empty key': { [HEADER]: '' },
    'an unknown key': { [HEADER]: `sk_${'a'.repeat(12)}_${'b'.repeat(43)}_${'c'.repeat(6)}` },
    'half a key': { [HEADER]: api.key.slice(0, -1) },
    'a long key': { [HEADER]: 'k'.repeat(4_096) },
    'the key as a password': { Authorization: `Basic ${btoa(`:${api.key}`)}` },
    'the key as a cookie': { Cookie: `${HEADER}=${api.key}; sluice-operator=${api.key}` },
    'the cookie of one signed in to the console': { Cookie: cookie.split(';', 1)[0] as string },
    'a forged cookie of the console': { Cookie: `sluice-operator=${'A'.repeat(80)}` },
    'a session token alone': { 'X-DreamFactory-Session-Token': 'A'.repeat(80) },
    'a revoked key': { [HEADER]: revoked },
    'a suspended key': { Authorization: `Bearer ${suspended}` },
    'a rotated key': { [HEADER]: rotated },
    'an expired key': { [HEADER]: expired },
  };
  return Object.entries(kinds).map(([name, headers]) => ({ name, headers, grants: undefined }));
}

/** A key for each scope there is, for everything of it and for something else of it, and one that lacks just one area. */
export async function scoped(api: TestApi): Promise<Caller[]> {
  const areas = Object.keys(SCOPE_VERBS) as Area[];
  const lists = areas.flatMap((area) => {
    const single = (SCOPE_VERBS[area] as readonly Verb[]).map((verb) => [`${area}:${verb}`]);
    const others = areas.filter((other) => other !== area).map((other) => `${other}:*`);
    const elsewhere = ELSEWHERE[area];
    return [...single, others, ...(elsewhere ? [[`${area}:*:${elsewhere}`]] : [])];
  });
  return await Promise.all(
    lists.map(async (scopes) => ({
      name: `a key of ${scopes.join(' ')}`,
      headers: { [HEADER]: await api.makeKey(scopes) },
      grants: new Grants(scopes),
    })),
  );
}
