/** This file owns masters and replicas: whether we may write here, and what a failover would lose. */
import { ROLES } from '@sluice/config';
import { judge } from '../answer.ts';
import { byInfo, type NodeCheck, setting } from '../check.ts';
import { error, info, ok, unknown, type Verdict, warning } from '../finding.ts';
import { nodeCli, setConfig } from '../fix.ts';
import { numberOf } from '../node-facts.ts';

const PAGE = 'High Availability';
/** Seconds since a replica was heard of; Redis' own default of min-replicas-max-lag. */
const MAX_LAG_SECONDS = 10;

const role: NodeCheck = {
  id: 'replication.role',
  page: PAGE,
  why: 'A replica refuses writes (READONLY), and what it is made to take is overwritten by its master.',
  roles: ROLES,
  look(sight): Verdict {
    const { info: told } = sight.node;
    if (!told.isTold) return unknown(`INFO: ${told.reason}`);
    const fields = told.value;
    const found = fields.get('role');
    if (found === undefined) return unknown('INFO does not tell the role');
    if (found === 'master') return ok('a master');
    const master = `${fields.get('master_host')}:${fields.get('master_port')}`;
    const link = fields.get('master_link_status');
    return error(
      `a replica of ${master}, whose link is ${link}`,
      `REDIS_HOST=${fields.get('master_host')} REDIS_PORT=${fields.get('master_port')}   # or ${nodeCli(sight, 'REPLICAOF', 'NO', 'ONE')}`,
    );
  },
};

const replicas: NodeCheck = {
  id: 'replication.replicas',
  page: PAGE,
  why: 'Without a replica the loss of one machine is the loss of everything that is in no backup.',
  roles: ROLES,
  look: (sight) =>
    byInfo(sight, ['connected_slaves'], ({ connected_slaves: count }, fields) => {
      const { kind } = sight.seen.place.config;
      if (fields.get('role') === 'slave') return ok('a replica itself');
      if (count === 0) {
        const evidence = 'no replica is connected';
        const fix = `redis-cli -h redis-2.internal REPLICAOF ${sight.node.address.replace(/:(\d+)$/, ' $1')}`;
        if (kind === 'sentinel') return error(`${evidence}: Sentinel has nobody to promote`, fix);
        return kind === 'cluster' ? warning(evidence, fix) : info(evidence, fix);
      }
      const records = [...fields].filter(([name]) => /^slave\d+$/.test(name)).map(([, value]) => value);
      const lags = records.map((record) => Number(/\blag=(-?\d+)/.exec(record)?.[1] ?? 0));
      const away = records.filter((record) => !/\bstate=online\b/.test(record)).length;
      const worst = Math.max(0, ...lags);
      const evidence = `${count} connected, the slowest ${worst} s behind`;
      return away > 0 || worst > MAX_LAG_SECONDS
        ? warning(`${evidence}, ${away} not online`, nodeCli(sight, 'INFO', 'replication'))
        : ok(evidence);
    }),
};

const minReplicas: NodeCheck = {
  id: 'replication.min-replicas',
  page: `${PAGE}: Redis Sentinel`,
  why: 'A master that is cut off goes on taking writes that a failover throws away. min-replicas-to-write makes it refuse them after min-replicas-max-lag.',
  roles: ['queue', 'session'],
  look(sight) {
    const { node, seen } = sight;
    const count = node.info.isTold ? (numberOf(node.info.value, 'connected_slaves') ?? 0) : 0;
    if (seen.place.config.kind === 'standalone' && count === 0) return undefined;
    return judge(setting(sight, 'min-replicas-to-write'), (value) => {
      if (value !== '0') {
        const lag = setting(sight, 'min-replicas-max-lag');
        return ok(`min-replicas-to-write ${value}${lag.isTold ? `, min-replicas-max-lag ${lag.value}` : ''}`);
      }
      const fix = setConfig(sight, 'min-replicas-to-write', '1');
      const evidence = 'min-replicas-to-write 0';
      return count > 0 && seen.place.config.kind !== 'standalone'
        ? warning(evidence, fix)
        : info(evidence, fix);
    });
  },
};

export const REPLICATION_NODE_CHECKS: readonly NodeCheck[] = [role, replicas, minReplicas];
