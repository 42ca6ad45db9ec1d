/** This file owns Sentinels: whether they are there, agree, and can carry out a failover. */
import { ROLES } from '@sluice/config';
import { judge } from '../answer.ts';
import type { PlaceCheck, Sight } from '../check.ts';
import { error, ok, unknown, type Verdict, warning } from '../finding.ts';
import { hostPort, redisCli } from '../fix.ts';
import type { SentinelFacts } from '../sentinels.ts';

const PAGE = 'High Availability: Redis Sentinel';
/** Of two, the loss of one is the loss of the majority. */
const MIN_SENTINELS = 3;

/** At a Sentinel, as whom it knows us. */
function sentinelCli({ seen }: Sight, { address }: SentinelFacts, ...words: string[]): string {
  const { config } = seen.place;
  const access =
    config.kind === 'sentinel'
      ? { username: config.sentinelUsername, password: config.sentinelPassword }
      : { username: undefined, password: undefined };
  const at = hostPort(address);
  return redisCli(
    { ...at, ...access, kind: 'standalone', database: 0, tls: config.tls },
    at,
    'SENTINEL',
    ...words,
  );
}

const masterOf = ({ seen }: Sight) => (seen.place.config.kind === 'sentinel' ? seen.place.config.master : '');

/** One verdict for each Sentinel that answers; those that do not are told by `sentinel.reach`. */
function each(sight: Sight, look: (sentinel: SentinelFacts) => Verdict): readonly Verdict[] {
  return sight.seen.sentinels
    .filter(({ master }) => master.isTold)
    .map((sentinel) => {
      const verdict = look(sentinel);
      return { ...verdict, evidence: `${sentinel.address}: ${verdict.evidence}` };
    });
}

const reach: PlaceCheck = {
  id: 'sentinel.reach',
  page: PAGE,
  why: 'Sentinels tell where the master is; without one that answers nothing is found after a failover.',
  roles: ROLES,
  look(sight) {
    const { sentinels } = sight.seen;
    const [first] = sentinels;
    if (!first) return undefined;
    const away = sentinels.flatMap(({ address, master }) => (master.isTold ? [] : [{ address, master }]));
    if (away.length === 0) return ok(`all ${sentinels.length} answer`);
    const evidence = away.map(({ address, master }) => `${address}: ${master.reason}`).join('; ');
    const isLost = away.length * 2 >= sentinels.length;
    return (isLost ? error : warning)(evidence, sentinelCli(sight, first, 'MASTERS'));
  },
};

const agreement: PlaceCheck = {
  id: 'sentinel.agreement',
  page: PAGE,
  why: 'Sentinels that name different masters lead processes to different data.',
  roles: ROLES,
  look(sight) {
    const named = new Set(
      sight.seen.sentinels.flatMap(({ master }) => (master.isTold ? [master.value] : [])),
    );
    const [first] = sight.seen.sentinels;
    if (!first || named.size === 0) return undefined;
    const evidence = `the master is ${[...named].join(' or ')}`;
    return named.size === 1
      ? ok(evidence)
      : error(evidence, sentinelCli(sight, first, 'RESET', masterOf(sight)));
  },
};

const quorum: PlaceCheck = {
  id: 'sentinel.quorum',
  page: PAGE,
  why: 'Too few Sentinels are there to agree that the master is down, or to authorize a failover: there will be none.',
  roles: ROLES,
  look: (sight) =>
    each(sight, (sentinel) => {
      const { quorum: answer } = sentinel;
      if (answer.isTold) return ok(answer.value);
      const evidence = answer.reason;
      // NOQUORUM is an answer; what our user may not ask is not.
      return answer.isRefused && answer.fault !== 'auth'
        ? error(evidence, sentinelCli(sight, sentinel, 'CKQUORUM', masterOf(sight)))
        : unknown(evidence);
    }),
};

const count: PlaceCheck = {
  id: 'sentinel.count',
  page: PAGE,
  why: 'Fewer than three Sentinels, or a quorum of one, lose the majority with one machine, or call a master down that only they cannot see.',
  roles: ROLES,
  look: (sight) =>
    each(sight, (sentinel) =>
      judge(sentinel.watch, ({ sentinels, quorum: needed }) => {
        const evidence = `${sentinels} Sentinels, quorum ${needed}`;
        if (sentinels < MIN_SENTINELS)
          return warning(
            evidence,
            `redis-server sentinel.conf --sentinel   # on ${MIN_SENTINELS - sentinels} more machines`,
          );
        return needed < 2
          ? warning(evidence, sentinelCli(sight, sentinel, 'SET', masterOf(sight), 'quorum', '2'))
          : ok(evidence);
      }),
    ),
};

const replicas: PlaceCheck = {
  id: 'sentinel.replicas',
  page: PAGE,
  why: 'A failover needs a replica that is well to promote.',
  roles: ROLES,
  look: (sight) =>
    each(sight, (sentinel) =>
      judge(sentinel.replicas, ({ known, healthy }) => {
        const evidence = `${healthy} of ${known} replicas are fit to be promoted`;
        const fix = sentinelCli(sight, sentinel, 'REPLICAS', masterOf(sight));
        if (healthy === 0) return error(evidence, fix);
        return healthy < known ? warning(evidence, fix) : ok(evidence);
      }),
    ),
};

export const SENTINEL_CHECKS: readonly PlaceCheck[] = [reach, agreement, quorum, count, replicas];
