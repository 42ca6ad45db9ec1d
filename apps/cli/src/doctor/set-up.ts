/** This file owns what an installation is made of: which Redis serves which roles and services, each once. */
import {
  type RedisConfig,
  ROLES,
  type Role,
  type RolesConfig,
  redisIdentity,
  type ServiceConfig,
} from '@sluice/config';

export interface Place {
  config: RedisConfig;
  /** In the order of ROLES. */
  roles: readonly Role[];
  /** Cache services that keep their entries here. */
  services: readonly ServiceConfig[];
  /** False: only services say where it is, and no variable of a role moves it. */
  isRole: boolean;
}

/** Sessions on disk and services on disk ask for no Redis. */
export function placesOf(
  { redis, sessionDriver }: RolesConfig,
  services: readonly ServiceConfig[],
): readonly Place[] {
  const places = new Map<
    string,
    { config: RedisConfig; roles: Set<Role>; services: ServiceConfig[]; isRole: boolean }
  >();
  const at = (config: RedisConfig) => {
    const identity = redisIdentity(config);
    const place = places.get(identity) ?? { config, roles: new Set<Role>(), services: [], isRole: false };
    places.set(identity, place);
    return place;
  };
  for (const role of ROLES) {
    if (role === 'cache' || (role === 'session' && sessionDriver === 'file')) continue;
    const place = at(redis[role]);
    place.roles.add(role);
    place.isRole = true;
  }
  for (const service of services) {
    if (!service.isActive || !service.redis) continue;
    const place = at(service.redis);
    place.roles.add('cache');
    place.services.push(service);
    if (service.redis === redis.cache) place.isRole = true;
  }
  return [...places.values()].map((place) => ({
    ...place,
    roles: ROLES.filter((role) => place.roles.has(role)),
  }));
}
