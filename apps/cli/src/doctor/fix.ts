/** This file owns the commands that mend things, ready to paste; a password is asked for, never written out. */
import type { HostPort, RedisConfig } from '@sluice/config';
import type { NodeSight, Sight } from './check.ts';

/** `redis-cli` as one would call it for this Redis. `at`: instead of the place that is configured. */
export function redisCli(config: RedisConfig, at: HostPort, ...words: string[]): string {
  const { tls } = config;
  const options = [
    '-h',
    at.host,
    '-p',
    String(at.port),
    ...(tls ? ['--tls'] : []),
    ...(tls?.caFile === undefined ? [] : ['--cacert', tls.caFile]),
    ...(tls?.certFile === undefined ? [] : ['--cert', tls.certFile]),
    ...(tls?.keyFile === undefined ? [] : ['--key', tls.keyFile]),
    ...(config.username === undefined ? [] : ['--user', config.username]),
    ...(config.password ? ['--askpass'] : []),
  ];
  return ['redis-cli', ...options, ...words].map(shellWord).join(' ');
}

/** At the node that is looked at. */
export function nodeCli({ seen, node }: NodeSight, ...words: string[]): string {
  return redisCli(seen.place.config, hostPort(node.address), ...words);
}

/** A setting, at once and for the next start. */
export function setConfig(sight: NodeSight, name: string, value: string): string {
  return `${nodeCli(sight, 'CONFIG', 'SET', name, value)} && ${nodeCli(sight, 'CONFIG', 'REWRITE')}`;
}

/** Somewhere else for one role, by the setting that says where it is. */
export function moveRole({ role, seen }: Pick<Sight, 'role' | 'seen'>): string {
  if (role === 'cache' && !seen.place.isRole) {
    const names = seen.place.services.map(({ name }) => name).join(', ');
    return `"host": "redis-cache.internal" for ${names} in sluice.config.json`;
  }
  return `${role.toUpperCase()}_HOST=redis-${role}.internal`;
}

export function hostPort(address: string): HostPort {
  const at = address.lastIndexOf(':');
  return { host: address.slice(0, at), port: Number(address.slice(at + 1)) };
}

function shellWord(text: string): string {
  return /^[\w./:@%+=,-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
