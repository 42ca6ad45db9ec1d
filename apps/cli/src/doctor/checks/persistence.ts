/** This file owns what survives: the append-only file, snapshots, and what a topology can lose. */
import { ROLES } from '@sluice/config';
import { judge } from '../answer.ts';
import { byInfo, type NodeCheck, type NodeSight, setting } from '../check.ts';
import { error, info, ok, unknown, type Verdict, warning } from '../finding.ts';
import { nodeCli, setConfig } from '../fix.ts';

const AOF_PAGE = 'Persistence: AOF for durability';
const RDB_PAGE = 'Persistence: RDB snapshots';
const KEEPS = ['queue', 'session'];

const isStored = ({ role }: NodeSight) => KEEPS.includes(role);

const aof: NodeCheck = {
  id: 'persistence.aof',
  page: AOF_PAGE,
  why: 'Without the append-only file a restart goes back to the last snapshot, and everything acknowledged since is gone.',
  roles: ROLES,
  look: (sight) =>
    byInfo(sight, ['aof_enabled'], ({ aof_enabled }) => {
      if (aof_enabled === 1) return ok('appendonly yes');
      const fix = setConfig(sight, 'appendonly', 'yes');
      if (!isStored(sight))
        return sight.role === 'cache'
          ? ok('appendonly no, and a cache can be filled again')
          : info('appendonly no', fix);
      const snapshots = setting(sight, 'save');
      const isKeptNowhere = snapshots.isTold && snapshots.value === '';
      if (isKeptNowhere && sight.role === 'queue')
        return error('appendonly no, and no snapshots: a restart loses all', fix);
      return warning('appendonly no', fix);
    }),
};

const aofWrites: NodeCheck = {
  id: 'persistence.aof-writes',
  page: AOF_PAGE,
  why: 'While the append-only file cannot be written Redis refuses every write (MISCONF), or keeps what a crash loses.',
  roles: ROLES,
  look: (sight) =>
    byInfo(sight, ['aof_enabled'], ({ aof_enabled }, fields) => {
      const statuses = ['aof_last_write_status', 'aof_last_bgrewrite_status'].map(
        (field) => [field, fields.get(field)] as const,
      );
      const broken = statuses.filter(([, status]) => status !== undefined && status !== 'ok');
      if (broken.length > 0) {
        return error(
          broken.map(([field, status]) => `${field} ${status}`).join(', '),
          `df -h . && ${nodeCli(sight, 'BGREWRITEAOF')}   # in the folder of CONFIG GET dir, when there is room again`,
        );
      }
      if (aof_enabled === 0) return ok('no append-only file, so none is broken');
      return statuses.some(([, status]) => status === undefined)
        ? unknown('INFO does not tell how the last write went')
        : ok('the last write and the last rewrite went well');
    }),
};

const fsync: NodeCheck = {
  id: 'persistence.fsync',
  page: `${AOF_PAGE}: appendfsync everysec`,
  why: 'Between two fsyncs a power cut takes what was acknowledged: about a second with everysec, up to two on a slow disk, the system decides with no.',
  roles: ['queue', 'session'],
  look: (sight) =>
    byInfo(sight, ['aof_enabled'], ({ aof_enabled }, fields) => {
      if (aof_enabled === 0) return ok('no append-only file');
      return judge(setting(sight, 'appendfsync'), (value) => {
        if (value === 'no') return warning('appendfsync no', setConfig(sight, 'appendfsync', 'everysec'));
        const rewrite = setting(sight, 'no-appendfsync-on-rewrite');
        if (rewrite.isTold && rewrite.value === 'yes') {
          return info(
            `appendfsync ${value}, but no fsync during a rewrite`,
            setConfig(sight, 'no-appendfsync-on-rewrite', 'no'),
          );
        }
        const delayed = Number(fields.get('aof_delayed_fsync') ?? 0);
        return delayed > 0
          ? info(`appendfsync ${value}; ${delayed} times a write waited for a slow disk`)
          : ok(`appendfsync ${value}`);
      });
    }),
};

const snapshots: NodeCheck = {
  id: 'persistence.snapshots',
  page: RDB_PAGE,
  why: 'Snapshots are what backups are made of, and what a restart reads when there is no append-only file.',
  roles: ROLES,
  look: (sight) =>
    judge(setting(sight, 'save'), (value) => {
      if (value !== '') return ok(`save ${value}`);
      const isOnFile = sight.node.info.isTold && sight.node.info.value.get('aof_enabled') === '1';
      const fix = setConfig(sight, 'save', '900 1 300 10 60 10000');
      if (sight.role === 'cache') return ok('no snapshots, and a cache can be filled again');
      return isOnFile || !isStored(sight) ? info('no snapshots', fix) : warning('no snapshots', fix);
    }),
};

const snapshotWrites: NodeCheck = {
  id: 'persistence.snapshot-writes',
  page: RDB_PAGE,
  why: 'After a snapshot that failed Redis refuses every write (MISCONF), unless stop-writes-on-bgsave-error says no.',
  roles: ROLES,
  look(sight): Verdict {
    const { info: told } = sight.node;
    if (!told.isTold) return unknown(`INFO: ${told.reason}`);
    const status = told.value.get('rdb_last_bgsave_status');
    if (status === undefined) return unknown('INFO does not tell rdb_last_bgsave_status');
    return status === 'ok'
      ? ok('the last snapshot went well')
      : error(
          `rdb_last_bgsave_status ${status}`,
          `df -h . && ${nodeCli(sight, 'BGSAVE')}   # in the folder of CONFIG GET dir, when there is room again`,
        );
  },
};

/** redis.io, "Redis persistence" and "Redis replication": what each loses. */
const durability: NodeCheck = {
  id: 'persistence.durability',
  page: 'Persistence; High Availability',
  why: 'A 2xx on enqueue means: stored in the primary. This is what may still take it away.',
  roles: ['queue', 'session'],
  look: (sight) =>
    byInfo(sight, ['aof_enabled', 'connected_slaves'], ({ aof_enabled, connected_slaves }) => {
      const { kind } = sight.seen.place.config;
      const policy = setting(sight, 'appendfsync');
      const sync = policy.isTold ? policy.value : 'an fsync we may not read';
      const restart =
        aof_enabled === 1
          ? `a crash of the process: nothing; a power cut: ${sync === 'always' ? 'nothing' : sync === 'everysec' ? 'the last 1 to 2 s' : `what ${sync} leaves`}`
          : 'a crash or a power cut: all since the last snapshot';
      const machine =
        connected_slaves === 0
          ? 'the loss of the machine: all that is in no backup'
          : kind === 'standalone'
            ? `the loss of the machine: what had not reached its ${connected_slaves} replicas, promoted by hand`
            : 'a failover: what had not reached the replica that is promoted';
      return info(`lost by ${restart}; by ${machine}`);
    }),
};

export const PERSISTENCE_NODE_CHECKS: readonly NodeCheck[] = [
  aof,
  aofWrites,
  fsync,
  snapshots,
  snapshotWrites,
  durability,
];
