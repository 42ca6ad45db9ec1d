/** This file owns the API's Redis clients: one a role, opened when first asked for, closed together. */
import type { RedisConfig, Role, RolesConfig } from '@sluice/config';
import { close, connect, health, outageOf, type Profile, type RedisClient } from '@sluice/redis';
import type { Log, Service } from '@sluice/runtime';

/** A Redis that is there answers sooner. */
const START_WAIT_MS = 1_000;

export interface RoleHealth {
  role: string;
  status: 'up' | 'down';
  kind?: string;
}

export interface OpenOptions {
  /** Default `request`. */
  profile?: Profile | undefined;
  /** This process is ready without it. Default false. */
  isOptional?: boolean | undefined;
}

interface Held {
  client: RedisClient;
  profile: Profile;
  isOptional: boolean;
  /** Others may use it too: it stays until the process stops. */
  isRole: boolean;
}

export class Connections implements Service {
  readonly name = 'redis connections';
  readonly #roles: RolesConfig;
  readonly #log: Log;
  readonly #clients = new Map<string, Held>();
  readonly #forProof: RedisClient[] = [];

  constructor(options: { roles: RolesConfig; log: Log }) {
    this.#roles = options.roles;
    this.#log = options.log;
  }

  /** The client of a role, with the profile of whoever has a caller waiting unless told otherwise. */
  role(role: Role, profile: Profile = 'request'): RedisClient {
    const name = profile === 'request' ? role : `${role}-${profile}`;
    return this.#open(name, this.#roles.redis[role], { profile, isOptional: false, isRole: true });
  }

  /** One more client of a role, of profile `proof`, for a single owner who may hold it up: nobody asks how it is. */
  forProof(role: Role): RedisClient {
    const config = this.#roles.redis[role];
    const client = connect({ config, profile: 'proof', name: `api-${role}-proof`, log: this.#log });
    this.#forProof.push(client);
    return client;
  }

  /** A client under a name of its own, for a cache service with its own Redis. */
  open(name: string, config: RedisConfig, options: OpenOptions = {}): RedisClient {
    const { profile = 'request', isOptional = false } = options;
    return this.#open(name, config, { profile, isOptional, isRole: false });
  }

  /**
   * Lets go of a client that `open` gave, whose name is free again at once: the caller closes it. False for a role's,
   * which is nobody's to close.
   */
  detach(client: RedisClient): boolean {
    for (const [name, held] of this.#clients) {
      if (held.client === client && !held.isRole) return this.#clients.delete(name);
    }
    return false;
  }

  #open(name: string, config: RedisConfig, rules: Omit<Held, 'client'>): RedisClient {
    const before = this.#clients.get(name);
    if (before) return before.client;
    const client = connect({ config, profile: rules.profile, name: `api-${name}`, log: this.#log });
    this.#clients.set(name, { client, ...rules });
    return client;
  }

  /**
   * Resolves when each role is reachable or has failed once, at most a second later: who is sent requests as soon as he
   * listens should not have to refuse the first.
   */
  async start(): Promise<void> {
    await Promise.all(this.requestClients().map(({ client }) => firstNews(client)));
  }

  /** Every client that has callers waiting, by its name. */
  requestClients(): { name: string; client: RedisClient }[] {
    return [...this.#clients]
      .filter(([, { profile }]) => profile === 'request')
      .map(([name, { client }]) => ({ name, client }));
  }

  /** Each client that this process is not ready without, asked at the same time; takes at most a second. */
  async health(): Promise<RoleHealth[]> {
    const needed = this.requestClients().filter(({ name }) => !this.#clients.get(name)?.isOptional);
    return await Promise.all(
      needed.map(async ({ name: role, client }) => {
        const answer = await health(client);
        return answer.isUp
          ? { role, status: 'up' as const }
          : { role, status: 'down' as const, kind: answer.kind };
      }),
    );
  }

  async stop(): Promise<void> {
    const held = [...this.#clients.values()].map(({ client }) => client);
    await Promise.all([...held, ...this.#forProof].map((client) => close(client)));
  }
}

function firstNews(client: RedisClient): Promise<void> {
  if (client.status === 'ready' || outageOf(client)) return Promise.resolve();
  return new Promise((resolve) => {
    const settle = () => {
      clearTimeout(timer);
      client.off('ready', settle).off('error', settle);
      resolve();
    };
    const timer = setTimeout(settle, START_WAIT_MS);
    client.once('ready', settle).once('error', settle);
  });
}
