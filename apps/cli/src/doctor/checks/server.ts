/** This file owns the server as such: which it is, how fast it answers, what time it has, where it writes its log. */
import { ROLES } from '@sluice/config';
import { judge } from '../answer.ts';
import { type NodeCheck, setting } from '../check.ts';
import { error, info, ok, unknown, type Verdict, warning } from '../finding.ts';
import { nodeCli } from '../fix.ts';
import { numberOf } from '../node-facts.ts';

/** GETDEL, GETEX, LMOVE. BullMQ 6 refuses what is older than 5.0. */
const MIN_VERSION = [6, 2];
const MAX_SKEW_MS = 1_000;
const SLOW_TRIP_MS = 50;
const MANY_SLOW_COMMANDS = 100;

const version: NodeCheck = {
  id: 'server.version',
  page: 'Prerequisites: Redis Server',
  why: 'Older servers lack commands that caches, leases and BullMQ use.',
  roles: ROLES,
  look({ node }): Verdict {
    if (!node.info.isTold) return unknown(`INFO: ${node.info.reason}`);
    const fields = node.info.value;
    const redis = fields.get('redis_version');
    if (redis === undefined) return unknown('INFO does not tell redis_version');
    const valkey = fields.get('valkey_version');
    const dragonfly = fields.get('dragonfly_version');
    const name = valkey ? `Valkey ${valkey}` : dragonfly ? `Dragonfly ${dragonfly}` : `Redis ${redis}`;
    if (dragonfly) {
      return warning(
        `${name}: not among the servers that we test`,
        'dragonfly --cluster_mode=emulated --lock_on_hashtags',
      );
    }
    const [major = 0, minor = 0] = redis.split('.').map(Number);
    const [minMajor = 0, minMinor = 0] = MIN_VERSION;
    const isOld = major < minMajor || (major === minMajor && minor < minMinor);
    return isOld
      ? error(`${name}, wanted ${MIN_VERSION.join('.')} or newer`, 'sudo apt install redis-server')
      : ok(name);
  },
};

const loading: NodeCheck = {
  id: 'server.loading',
  page: null,
  why: 'While it reads its data set from disk nothing else is answered.',
  roles: ROLES,
  look({ node }) {
    if (!node.info.isTold) return unknown(`INFO: ${node.info.reason}`);
    return numberOf(node.info.value, 'loading') === 1
      ? warning('it is still reading its data set', 'redis-cli INFO persistence')
      : ok('its data set is read');
  },
};

const latency: NodeCheck = {
  id: 'server.latency',
  page: 'Sub-millisecond response times',
  why: 'Every request waits for at least one answer; slow ones come from the network, from swapping, or from a long command of somebody else.',
  roles: ROLES,
  look: (sight) =>
    judge(sight.node.latency, ({ medianMs, worstMs, trips }) => {
      const evidence = `${trips} round trips: half within ${medianMs.toFixed(2)} ms, all within ${worstMs.toFixed(2)} ms`;
      return medianMs > SLOW_TRIP_MS
        ? warning(evidence, nodeCli(sight, '--latency-history'))
        : worstMs > SLOW_TRIP_MS
          ? info(evidence, nodeCli(sight, '--latency-history'))
          : ok(evidence);
    }),
};

const clock: NodeCheck = {
  id: 'server.clock',
  page: null,
  why: 'Leases, limits and schedules go by the clock of Redis, expiry of keys and signatures by that of this machine.',
  roles: ROLES,
  look: ({ node }) =>
    judge(node.clock, ({ skewMs }) => {
      const evidence = `Redis' clock is ${Math.abs(skewMs)} ms ${skewMs < 0 ? 'behind' : 'ahead of'} ours`;
      return Math.abs(skewMs) > MAX_SKEW_MS
        ? warning(evidence, 'sudo timedatectl set-ntp true')
        : ok(evidence);
    }),
};

const slowlog: NodeCheck = {
  id: 'server.slowlog',
  page: 'Monitoring',
  why: 'One slow command keeps everybody waiting, for Redis runs one at a time.',
  roles: ROLES,
  look: (sight) =>
    judge(sight.node.slowCommands, (count) => {
      const after = setting(sight, 'slowlog-log-slower-than');
      const evidence = `${count} slow commands remembered${after.isTold ? ` (over ${Number(after.value) / 1_000} ms)` : ''}`;
      if (count === 0) return ok(evidence);
      const fix = nodeCli(sight, 'SLOWLOG', 'GET', '10');
      return (count > MANY_SLOW_COMMANDS ? warning : info)(evidence, fix);
    }),
};

const log: NodeCheck = {
  id: 'server.log',
  page: 'Troubleshooting Connection Issues: Check Redis logs',
  why: 'What Redis says of itself when it refuses, restarts or fails over.',
  roles: ROLES,
  look: (sight) =>
    judge(setting(sight, 'logfile'), (value) =>
      value === ''
        ? { ...ok('to the standard output of its process'), fix: 'journalctl -u redis-server -f' }
        : { ...ok(value), fix: `sudo tail -f ${value}` },
    ),
};

export const SERVER_NODE_CHECKS: readonly NodeCheck[] = [version, loading, latency, clock, slowlog, log];
