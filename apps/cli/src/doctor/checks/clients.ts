/** This file owns connections: how many there are, how many there may be, and whether they stay. */
import { ROLES } from '@sluice/config';
import { judge } from '../answer.ts';
import { byInfo, type NodeCheck, percent, setting } from '../check.ts';
import { error, info, ok, unknown, warning } from '../finding.ts';
import { nodeCli, setConfig } from '../fix.ts';
import { numberOf } from '../node-facts.ts';

/** The page's threshold. */
const FULL_SHARE = 0.8;
const BRIM_SHARE = 0.95;
/** Our keep-alive, and then some: shorter cuts what only waits. */
const MIN_IDLE_SECONDS = 60;

const used: NodeCheck = {
  id: 'clients.used',
  page: 'Key Metrics to Watch: connected_clients > 80% of maxclients',
  why: 'At maxclients Redis turns away whoever comes next: a process that starts, or one that comes back after an outage.',
  roles: ROLES,
  look: (sight) =>
    byInfo(sight, ['connected_clients'], ({ connected_clients: count }, fields) => {
      const answer = setting(sight, 'maxclients');
      // Redis 7 tells it in INFO as well.
      const most = numberOf(fields, 'maxclients') ?? (answer.isTold ? Number(answer.value) : undefined);
      if (most === undefined || most === 0) return unknown(`${count} connected; maxclients is not told`);
      const evidence = `${count} connected, ${percent(count, most)} of maxclients ${most}`;
      const fix = setConfig(sight, 'maxclients', String(most * 2));
      if (count > most * BRIM_SHARE) return error(evidence, fix);
      return count > most * FULL_SHARE ? warning(evidence, fix) : ok(evidence);
    }),
};

const rejected: NodeCheck = {
  id: 'clients.rejected',
  page: 'Key Metrics to Watch: connected_clients',
  why: 'Somebody found no room; each of ours tries again, but requests failed meanwhile.',
  roles: ROLES,
  look: (sight) =>
    byInfo(sight, ['rejected_connections'], ({ rejected_connections: count }) =>
      count === 0
        ? ok('no connection was turned away since the start')
        : warning(`${count} connections were turned away since the start`, nodeCli(sight, 'INFO', 'clients')),
    ),
};

/** A process of the API holds one for each role and profile it uses; a worker two for each queue, and a few more. */
const list: NodeCheck = {
  id: 'clients.list',
  page: 'Redis CLI Commands: client list',
  why: 'Who is connected. Ours are named sluice:…; an API holds up to ten, a worker two for each queue and a few more.',
  roles: ROLES,
  look: ({ node }) => judge(node.clients, ({ all, ours }) => ok(`${all} connected, ${ours} of them ours`)),
};

const persistent: NodeCheck = {
  id: 'clients.timeout',
  page: 'Connection Pooling',
  why: 'Our connections are opened once and kept. A server that closes idle ones makes the next request wait for a new one, and listeners miss what is said meanwhile.',
  roles: ROLES,
  look: (sight) =>
    judge(setting(sight, 'timeout'), (value) => {
      if (value === '0') return ok('timeout 0: idle connections stay');
      const fix = setConfig(sight, 'timeout', '0');
      return (Number(value) < MIN_IDLE_SECONDS ? warning : info)(`timeout ${value} s`, fix);
    }),
};

export const CLIENT_NODE_CHECKS: readonly NodeCheck[] = [used, rejected, list, persistent];
