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

/** What never changes of a session; stored as JSON, and not looked into by any script. */
type About = Pick<SessionRecord, 'userId' | 'address' | 'agent'>;

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
        about: JSON.stringify({ userId, address, agent } satisfies About),
        data,
        idle_ms: session.idleMs,
        absolute_ms: session.absoluteMs,
        generation: session.generation ?? '',
        max_per_user: session.maxPerUser,
        when_full: session.whenFull,
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
        const [, expiry, version, created, seen, ends, about, data, ended] = reply as unknown as LiveReply;
        // The session that ended itself has no key left.
        if (deed.kind !== 'end') await this.#discard(token.user, ended);
        return {
          kind: 'live',
          ended: ended.length,
          record: {
            id: token.id,
            ...(JSON.parse(about) as About),
            data: deed.kind === 'save' ? deed.data : data,
            version: Number(version),
            createdAtMs: Number(created),
            seenAtMs: Number(seen),
            expiresAtMs: Number(expiry),
            endsAtMs: Number(ends),
          },
        };
      }
    }
  }

  async list(user: string, { withData = false }: { withData?: boolean } = {}): Promise<SessionRecord[]> {
    const userKey = this.#keys.user(user);
    const fields = await this.#client.hkeys(userKey);
    const ids = fields.flatMap((field) => (field.startsWith('s:') ? [field.slice(2)] : []));
    if (ids.length === 0) return [];
    // One moment for all of them: a revocation is seen everywhere or nowhere.
    const moment = this.#client.multi().hgetall(userKey);
    const wanted = [
      'generation',
      'version',
      'created',
      'seen',
      'ends',
      'about',
      ...(withData ? ['data'] : []),
    ];
    for (const id of ids) moment.hmget(this.#keys.session(user, id), ...wanted);
    const [[userError, known], ...replies] = ((await moment.exec()) ?? []) as [UserReply, ...SessionReply[]];
    if (userError) throw userError;
    return replies.flatMap(([error, values], at) => {
      // ioredis: exec() does not reject for one failed command.
      if (error) throw error;
      const id = ids[at] as string;
      const expiry = known[`s:${id}`];
      const [generation, version, created, seen, ends, about, data] = values;
      if (!about || expiry === undefined || generation !== `${known.born}.${known.generation}`) return [];
      return [
        {
          id,
          ...(JSON.parse(about) as About),
          data: data ?? '',
          version: Number(version),
          createdAtMs: Number(created),
          seenAtMs: Number(seen),
          expiresAtMs: Number(expiry),
          endsAtMs: Number(ends),
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
  version: string,
  created: string,
  seen: string,
  ends: string,
  about: string,
  data: string,
  ended: string[],
];
type UserReply = [error: Error | null, fields: Record<string, string>];
type SessionReply = [error: Error | null, values: (string | null)[]];

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
