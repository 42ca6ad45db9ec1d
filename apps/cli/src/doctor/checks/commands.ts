/** This file owns what our user may do, as it was tried: one check for each kind of command. */
import type { RedisFaultKind } from '@sluice/redis';
import type { PlaceCheck } from '../check.ts';
import { error, ok, unknown } from '../finding.ts';
import { RIGHTS, type RightName } from '../rights.ts';

const WHY: Readonly<Record<RightName, string>> = {
  write: 'Nothing can be kept: caches, jobs, sessions and limits all fail.',
  scan: 'Keys cannot be listed, flushed or removed by their beginning.',
  script: 'Every decision of ours is one Lua script, and so is every step of BullMQ.',
  transaction: 'Flows of jobs and batches that roll back are transactions.',
  types: 'Jobs are hashes, lists, sorted sets and a stream; sessions are hashes; kept messages are streams.',
  blocking: 'Workers wait for jobs with blocking commands, and long-polls wait for events.',
  pubsub:
    'Channels, and caches near the process, are told by Pub/Sub. Since Redis 7 a new ACL user has no channels.',
};

const PAGES: Partial<Record<RightName, string>> = {
  pubsub: 'Use Cases: Pub/Sub messaging',
  types: 'Use Cases: Queue backend',
  blocking: 'Use Cases: Queue backend',
  write: 'Use Cases',
  script: 'Use Cases: Rate limiting',
};

/** What an ACL has to say for each. */
const GRANTS: Readonly<Record<RightName, string>> = {
  write: '+@read +@write +@keyspace',
  scan: '+scan',
  script: '+@scripting',
  transaction: '+@transaction',
  types: '+@hash +@sortedset +@list +@stream',
  blocking: '+@blocking +@stream',
  pubsub: '+@pubsub "&*"',
};

const FIXES: Partial<Record<RedisFaultKind, (user: string, name: RightName) => string>> = {
  auth: (user, name) => `redis-cli ACL SETUSER ${user} ${GRANTS[name]} && redis-cli ACL SAVE`,
  oom: () => 'redis-cli CONFIG SET maxmemory …   # more, or an eviction policy for a cache',
  readonly: () => 'redis-cli INFO persistence; redis-cli INFO replication   # says why no writes are taken',
};

export const COMMAND_CHECKS: readonly PlaceCheck[] = RIGHTS.map(({ name, commands, roles }): PlaceCheck => {
  return {
    id: `commands.${name}`,
    page: PAGES[name] ?? null,
    why: WHY[name],
    roles,
    look({ seen }) {
      const answer = seen.rights.get(name);
      if (!answer) return undefined;
      if (answer.isTold) return ok(`${commands}, in ${answer.value.toFixed(1)} ms`);
      const evidence = `${commands}: ${answer.reason}`;
      const user = seen.place.config.username ?? 'default';
      const fix = answer.fault && FIXES[answer.fault]?.(user, name);
      return answer.isRefused ? error(evidence, fix) : unknown(evidence, fix);
    },
  };
});
