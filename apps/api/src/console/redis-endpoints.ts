/** This file owns which connections lead to one Redis: a role has its own connection, and often not its own Redis. */
import type { RedisClient } from '@sluice/redis';
import { Cluster } from '@sluice/redis';

export interface Endpoint {
  /** Names of the connections. */
  roles: string[];
  client: RedisClient;
}

export function endpointsOf(clients: readonly { name: string; client: RedisClient }[]): Endpoint[] {
  const byAddress = new Map<string, Endpoint>();
  for (const { name, client } of clients) {
    const address = addressOf(client) ?? name;
    const known = byAddress.get(address);
    if (known) known.roles.push(name);
    else byAddress.set(address, { roles: [name], client });
  }
  return [...byAddress.values()];
}

/** Without the database: figures are of the whole server. `undefined`: it is not told. */
function addressOf(client: RedisClient): string | undefined {
  if (client instanceof Cluster) {
    const nodes = client.nodes('master').map(({ options }) => `${options.host}:${options.port}`);
    return nodes.length === 0 ? undefined : nodes.sort().join();
  }
  const { sentinels, name, host, port, path } = client.options;
  if (sentinels) return `${JSON.stringify(sentinels)} ${name}`;
  return path ?? `${host}:${port}`;
}
