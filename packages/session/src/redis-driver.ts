/**
 * This file owns sessions in Redis: each call is one script or one command on the keys of one user. A failure of Redis
 * is thrown as ioredis threw it, for `redisFault` to name.
 */
import type { Keyspace } from '@sluice/config';
import { type RedisClient, scanKeys, unlinkKeys } from '@sluice/redis';
import type { Creation, Deed, NewSession, SessionDriver, SessionRecord, Verdict } from './driver.ts';
import { type SessionKeys, sessionKeys } from './keys.ts';
import { createScript, presentScript, revokeAllScript } from './scripts.ts';
import type { PresentedToken, SessionAddress } from './token.ts';

/** What a list shows of a session; the data stays where it is. */
const LISTED_FIELDS = [
  'user_id',
  'version',
  'created',
  'seen',
  'ends',
  'address',
  'agent',
  'generation',
] as const;

export class RedisSessionDriver implements SessionDriver {
  readonly #client: RedisClient;
  readonly #keys: SessionKeys;

  /** `client` of the `request` profile. `area` separates stores in one Redis; default `session`. */
  constructor(options: { client: RedisClient; keys: Keyspace; area?: string }) {
    this.#client = options.client;
    this.#keys = sessionKeys(options.keys, options.area);
  }

  async create(session: NewSession): Promise<Creation> {
    const { place, userId, data, address, agent } = session;
    const reply = (await createScript.run(this.#client, {
      keys: this.#keysOf(place),
      args: {
        id: place.id,
        hash: place.hash,
        user_id: userId ?? '',
        data,
        idle_ms: session.idleMs,
        absolute_ms: session.absoluteMs,
        generation: session.generation ?? '',
        max_per_user: session.maxPerUser,
        when_full: session.whenFull,
        address: address ?? '',
        agent: agent ?? '',
      },
    })) as ['created', string, string, string, string[]] | ['revoked', string] | ['full'];
    if (reply[0] === 'full') return { kind: 'full' };
    if (reply[0] === 'revoked') return { kind: 'revoked', generation: Number(reply[1]) };
    const [, now, expiry, ends, ended] = reply;
    await this.#discard(place.user, ended);
    const createdAtMs = Number(now);
    return {
      kind: 'created',
      record: {
        id: place.id,
        userId,
        data,
        version: 1,
        createdAtMs,
        seenAtMs: createdAtMs,
        expiresAtMs: Number(expiry),
        endsAtMs: Number(ends),
        address,
        agent,
      },
    };
  }

  async present(token: PresentedToken, deed: Deed): Promise<Verdict> {
    const reply = (await presentScript.run(this.#client, {
      keys: this.#keysOf(token),
      args: { deed: deed.kind, id: token.id, hash: token.hash },
      moreArgs: deedArguments(deed),
    })) as [kind: Verdict['kind'], ...rest: unknown[]];
    switch (reply[0]) {
      case 'absent':
      case 'reused':
      case 'superseded':
        return { kind: reply[0] };
      case 'conflict':
        return { kind: 'conflict', version: Number(reply[1]) };
      case 'live': {
        const [, expiry, userId, version, created, seen, ends, address, agent, data, ended] =
          reply as unknown as LiveReply;
        // The session that ended itself has no key left.
        if (deed.kind !== 'end') await this.#discard(token.user, ended);
        return {
          kind: 'live',
          ended: ended.length,
          record: {
            id: token.id,
            userId: userId || null,
            data: deed.kind === 'save' ? deed.data : data,
            version: Number(version),
            createdAtMs: Number(created),
            seenAtMs: Number(seen),
            expiresAtMs: Number(expiry),
            endsAtMs: Number(ends),
            address: address || null,
            agent: agent || null,
          },
        };
      }
    }
  }

  async list(user: string, { withData = false }: { withData?: boolean } = {}): Promise<SessionRecord[]> {
    const known = await this.#client.hgetall(this.#keys.user(user));
    const generation = `${known.born}.${known.generation}`;
    const ids = Object.keys(known).flatMap((field) => (field.startsWith('s:') ? [field.slice(2)] : []));
    if (ids.length === 0) return [];
    const pipeline = this.#client.pipeline();
    for (const id of ids)
      pipeline.hmget(this.#keys.session(user, id), ...LISTED_FIELDS, ...(withData ? ['data'] : []));
    const replies = (await pipeline.exec()) ?? [];
    return replies.flatMap(([error, reply], at) => {
      // ioredis: exec() does not reject for one failed command.
      if (error) throw error;
      const [userId, version, created, seen, ends, address, agent, ofGeneration, data] = reply as (
        | string
        | null
      )[];
      const id = ids[at];
      // Expired, ended or revoked between the two trips.
      if (id === undefined || ofGeneration !== generation) return [];
      return [
        {
          id,
          userId: userId || null,
          data: data ?? '',
          version: Number(version),
          createdAtMs: Number(created),
          seenAtMs: Number(seen),
          expiresAtMs: Number(known[`s:${id}`]),
          endsAtMs: Number(ends),
          address: address || null,
          agent: agent || null,
        },
      ];
    });
  }

  async generation(user: string): Promise<number> {
    return Number((await this.#client.hget(this.#keys.user(user), 'generation')) ?? 0);
  }

  async revoke({ user, id }: SessionAddress): Promise<boolean> {
    const isListed = (await this.#client.hdel(this.#keys.user(user), `s:${id}`)) === 1;
    await this.#discard(user, [id]);
    return isListed;
  }

  async revokeAll(user: string, memoryMs: number): Promise<number> {
    const [now, ...listed] = (await revokeAllScript.run(this.#client, {
      keys: { user: this.#keys.user(user) },
      args: { memory_ms: memoryMs },
    })) as string[];
    const ids = listed.filter((_, at) => at % 2 === 0);
    const expiries = listed.filter((_, at) => at % 2 === 1);
    await this.#discard(user, ids);
    return expiries.filter((expiry) => Number(expiry) > Number(now)).length;
  }

  async *users(): AsyncIterable<string[]> {
    for await (const page of scanKeys(this.#client, this.#keys.root)) {
      const tags = page.flatMap((key) => this.#keys.tagOf(key) ?? []);
      if (tags.length > 0) yield tags;
    }
  }

  #keysOf({ user, id }: SessionAddress): { session: string; user: string } {
    return { session: this.#keys.session(user, id), user: this.#keys.user(user) };
  }

  /** Frees the keys of sessions that are dead already, because their user no longer lists them. */
  async #discard(user: string, ids: readonly string[]): Promise<void> {
    if (ids.length === 0) return;
    const keys = ids.map((id) => this.#keys.session(user, id));
    // A failure costs memory until the keys' own TTL, and must not hide that the sessions have ended.
    await unlinkKeys(this.#client, keys).catch(() => 0);
  }
}

type LiveReply = [
  kind: 'live',
  expiry: string,
  userId: string,
  version: string,
  created: string,
  seen: string,
  ends: string,
  address: string,
  agent: string,
  data: string,
  ended: string[],
];

function deedArguments(deed: Deed): (string | number)[] {
  switch (deed.kind) {
    case 'look':
    case 'end':
      return [];
    case 'touch':
      return [deed.everyMs, deed.idleMs ?? ''];
    case 'save':
      return [deed.version ?? '', deed.data, deed.idleMs ?? ''];
    case 'rotate':
      return [deed.nextHash, deed.overlapMs];
    case 'revoke_others':
      return [deed.memoryMs];
  }
}
