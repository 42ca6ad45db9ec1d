/** This file owns memory: how much there is, what happens when it is full, what has been lost to it. */
import { ROLES, type Role } from '@sluice/config';
import { byInfo, bytes, type NodeCheck, type NodeSight, percent } from '../check.ts';
import { error, info, ok, unknown, type Verdict, warning } from '../finding.ts';
import { moveRole, setConfig } from '../fix.ts';

const PAGE = 'Memory Management';
/** The page's threshold. */
const FULL_SHARE = 0.8;
/** From here writes are about to be refused, or keys about to go. */
const BRIM_SHARE = 0.95;

const limit: NodeCheck = {
  id: 'memory.limit',
  page: `${PAGE}: Set memory limit`,
  why: 'Without maxmemory Redis grows until the system kills it, and nothing is evicted before.',
  roles: ROLES,
  look: (sight) =>
    byInfo(sight, ['maxmemory', 'used_memory'], ({ maxmemory, used_memory }) => {
      if (maxmemory > 0) return ok(`maxmemory ${bytes(maxmemory)}`);
      const evidence = `maxmemory 0: no limit, ${bytes(used_memory)} in use`;
      const say = sight.role === 'cache' ? warning : info;
      return say(evidence, setConfig(sight, 'maxmemory', '256mb'));
    }),
};

const used: NodeCheck = {
  id: 'memory.used',
  page: 'Key Metrics to Watch: used_memory > 80% of maxmemory',
  why: 'At the limit a cache loses keys and everything else is refused (OOM, answered 507).',
  roles: ROLES,
  look: (sight) =>
    byInfo(sight, ['maxmemory', 'used_memory'], ({ maxmemory, used_memory }, fields) => {
      const system = Number(fields.get('total_system_memory') ?? 0);
      const whole = maxmemory > 0 ? maxmemory : system;
      if (whole === 0) return unknown('INFO tells neither maxmemory nor total_system_memory');
      const of = maxmemory > 0 ? 'maxmemory' : "the machine's memory";
      const evidence = `${bytes(used_memory)} in use, ${percent(used_memory, whole)} of ${of} (${bytes(whole)})`;
      const share = used_memory / whole;
      if (share <= FULL_SHARE) return ok(evidence);
      const fix = setConfig(sight, 'maxmemory', String(Math.ceil((used_memory * 2) / 1_048_576) * 1_048_576));
      // A cache that evicts is full for most of its life.
      const isCritical =
        share > BRIM_SHARE && !(sight.role === 'cache' && isEvicting(fields.get('maxmemory_policy')));
      return (isCritical ? error : warning)(evidence, fix);
    }),
};

const isEvicting = (policy: string | undefined) => policy?.startsWith('allkeys-') === true;

/** What a policy other than the right one does to a role. */
const POLICY_HARM: Readonly<Record<Exclude<Role, 'cache'>, string>> = {
  queue:
    'BullMQ keeps its promises under noeviction alone; every other policy may remove jobs, or the locks that keep one job from running twice.',
  session: 'Eviction logs users out, or lets a revocation be forgotten.',
  limit: 'An evicted counter begins at zero: whoever was limited has a free quota.',
  channel: 'Eviction removes the messages that were published to be kept.',
};
const CACHE_WHY =
  'A full cache should drop what was least recently used; under noeviction it refuses every write instead (507).';

const policy: NodeCheck = {
  id: 'memory.policy',
  page: `${PAGE}: Configure eviction policy`,
  why: CACHE_WHY,
  roles: ROLES,
  look(sight) {
    const { role, node } = sight;
    if (!node.info.isTold) return unknown(`INFO: ${node.info.reason}`);
    const found = node.info.value.get('maxmemory_policy');
    if (found === undefined) return unknown('INFO does not tell maxmemory_policy');
    const evidence = `maxmemory-policy ${found}`;
    if (role === 'cache') return cachePolicy(sight, found);
    const why = POLICY_HARM[role];
    if (found === 'noeviction') return { ...ok(evidence), why };
    const isShared = sight.housemates.includes('cache');
    const fix = isShared ? moveRole(sight) : setConfig(sight, 'maxmemory-policy', 'noeviction');
    const isFatal = role === 'queue' || (role === 'session' && found.startsWith('allkeys-'));
    const where = isShared ? `${evidence}, which the cache in the same server wants` : evidence;
    return { ...(isFatal ? error : warning)(where, fix), why };
  },
};

function cachePolicy(sight: NodeSight, found: string): Verdict {
  const evidence = `maxmemory-policy ${found}`;
  const others = sight.housemates.filter((role) => role !== 'cache');
  const fix = others.length > 0 ? moveRole(sight) : setConfig(sight, 'maxmemory-policy', 'allkeys-lru');
  if (found === 'noeviction') {
    return warning(
      others.length > 0 ? `${evidence}, which ${others.join(', ')} in the same server want` : evidence,
      fix,
    );
  }
  if (found === 'allkeys-random')
    return info(`${evidence}: removes what is in use as readily as the rest`, fix);
  if (found.startsWith('volatile-'))
    return info(`${evidence}: values that are kept for ever (ttl 0) are never evicted`, fix);
  return ok(evidence);
}

const evicted: NodeCheck = {
  id: 'memory.evicted',
  page: 'Key Metrics to Watch: evicted_keys, any eviction',
  why: 'Keys were removed because memory was full: cached values early, all else for good.',
  roles: ROLES,
  look: (sight) =>
    byInfo(sight, ['evicted_keys', 'uptime_in_seconds', 'maxmemory'], (numbers) => {
      const { evicted_keys: count, uptime_in_seconds: uptime, maxmemory } = numbers;
      const evidence = `${count} keys evicted since the start ${duration(uptime)} ago`;
      if (count === 0) return ok(evidence);
      const more = setConfig(sight, 'maxmemory', String(2 * maxmemory || 268_435_456));
      if (sight.role === 'queue' || sight.role === 'session')
        return error(evidence, sight.housemates.length > 1 ? moveRole(sight) : more);
      return warning(evidence, more);
    }),
};

/** Fewer look-ups say nothing of a cache. */
const MIN_LOOKUPS = 1_000;
/** The page says "high"; below this the cache answers fewer than it passes on. */
const MIN_HIT_SHARE = 0.5;

const hitRatio: NodeCheck = {
  id: 'memory.hit-ratio',
  page: 'Key Metrics to Watch: keyspace_hits, keyspace_misses',
  why: 'A cache that misses most of the time costs a round trip and spares little: TTLs are too short, keys too fine, or memory too small.',
  roles: ['cache'],
  look: (sight) =>
    byInfo(
      sight,
      ['keyspace_hits', 'keyspace_misses'],
      ({ keyspace_hits: hits, keyspace_misses: misses }) => {
        const lookups = hits + misses;
        const others = sight.housemates.filter((role) => role !== 'cache');
        const shared = others.length > 0 ? ` (with those of ${others.join(', ')})` : '';
        if (lookups < MIN_LOOKUPS) return ok(`${lookups} look-ups since the start${shared}, too few to tell`);
        const evidence = `${percent(hits, lookups)} of ${lookups} look-ups were hits${shared}`;
        return hits / lookups >= MIN_HIT_SHARE
          ? ok(evidence)
          : warning(
              evidence,
              'a longer default_ttl for the services in sluice.config.json, or more maxmemory',
            );
      },
    ),
};

const sharing: NodeCheck = {
  id: 'memory.sharing',
  page: null,
  why: 'maxmemory and its policy are of a server, not of a database number: what suits a cache ruins a queue.',
  roles: ['cache'],
  look(sight) {
    const others = sight.housemates.filter((role) => role !== 'cache');
    return others.length === 0
      ? ok('the cache has a server of its own')
      : info(`the cache shares its server with ${others.join(', ')}`, moveRole(sight));
  },
};

function duration(seconds: number): string {
  if (seconds < 120) return `${seconds} s`;
  if (seconds < 7_200) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 172_800) return `${Math.floor(seconds / 3_600)} h`;
  return `${Math.floor(seconds / 86_400)} days`;
}

export const MEMORY_NODE_CHECKS: readonly NodeCheck[] = [limit, used, policy, evicted, hitRatio, sharing];
