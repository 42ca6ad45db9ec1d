/** This file owns the API's Redis clients: one a role, opened when first asked for, closed together. */
import type { RedisConfig, Role, RolesConfig } from '@sluice/config';
import { close, connect, health, type Profile, type RedisClient } from '@sluice/redis';
import type { Log, Service } from '@sluice/runtime';

export interface RoleHealth {
  role: string;
  status: 'up' | 'down';
  kind?: string;
}

export class Connections implements Service {
  readonly name = 'redis connections';
  readonly #roles: RolesConfig;
  readonly #log: Log;
  readonly #clients = new Map<string, { client: RedisClient; profile: Profile }>();

  constructor(options: { roles: RolesConfig; log: Log }) {
    this.#roles = options.roles;
    this.#log = options.log;
  }

  /** The client of a role, with the profile of whoever has a caller waiting unless told otherwise. */
  role(role: Role, profile: Profile = 'request'): RedisClient {
    return this.open(profile === 'request' ? role : `${role}-${profile}`, this.#roles.redis[role], profile);
  }

  /** A client under a name of its own, for a cache service with its own Redis. */
  open(name: string, config: RedisConfig, profile: Profile = 'request'): RedisClient {
    const before = this.#clients.get(name);
    if (before) return before.client;
    const client = connect({ config, profile, name: `api-${name}`, log: this.#log });
    this.#clients.set(name, { client, profile });
    return client;
  }

  /** Every client that has callers waiting, by its name. */
  requestClients(): { name: string; client: RedisClient }[] {
    return [...this.#clients]
      .filter(([, { profile }]) => profile === 'request')
      .map(([name, { client }]) => ({ name, client }));
  }

  /** Each of `requestClients`, asked at the same time; takes at most a second. */
  async health(): Promise<RoleHealth[]> {
    return await Promise.all(
      this.requestClients().map(async ({ name: role, client }) => {
        const answer = await health(client);
        return answer.isUp
          ? { role, status: 'up' as const }
          : { role, status: 'down' as const, kind: answer.kind };
      }),
    );
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#clients.values()].map(({ client }) => close(client)));
  }
}
