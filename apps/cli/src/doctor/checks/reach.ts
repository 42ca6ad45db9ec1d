/** This file owns whether one gets to Redis at all: name, port, password. */
import { ROLES } from '@sluice/config';
import type { Arrival } from '../arrival.ts';
import type { PlaceCheck, Sight } from '../check.ts';
import { error, ok, type Verdict, warning } from '../finding.ts';
import { redisCli } from '../fix.ts';

const TROUBLE = 'Troubleshooting Connection Issues';

/** One of several Sentinels or nodes may be away; the last may not. */
function each(
  { seen }: Sight,
  isGood: (arrival: Arrival) => boolean,
  say: (arrival: Arrival) => { bad: string; fix: string },
  good: string,
): Verdict {
  const bad = seen.arrivals.filter((arrival) => !isGood(arrival));
  const names = seen.arrivals.map(({ host, port }) => `${host}:${port}`).join(', ');
  const [first] = bad;
  if (!first) return ok(`${names}: ${good}`);
  const evidence = bad.map((arrival) => `${arrival.host}:${arrival.port}: ${say(arrival).bad}`).join('; ');
  return (bad.length === seen.arrivals.length ? error : warning)(evidence, say(first).fix);
}

const reachName: PlaceCheck = {
  id: 'reach.name',
  page: TROUBLE,
  why: 'A host name that stands for no address leads nowhere.',
  roles: ROLES,
  look: (sight) =>
    each(
      sight,
      ({ reached }) => reached !== 'unresolved',
      ({ host, reason }) => ({ bad: `the name is unknown (${reason})`, fix: `getent hosts ${host}` }),
      'the name is known',
    ),
};

const reachPort: PlaceCheck = {
  id: 'reach.port',
  page: 'Common Errors: 500 Connection refused',
  why: 'Nothing listens there, a firewall is between, or the certificate is not trusted; cache services answer 500, all else 503.',
  roles: ROLES,
  look: (sight) =>
    sight.seen.arrivals.every(({ reached }) => reached === 'unresolved')
      ? undefined
      : each(
          sight,
          ({ reached }) => reached !== 'unconnected' && reached !== 'unresolved',
          ({ host, port, reason }) => ({
            bad: reason,
            fix: redisCli(sight.seen.place.config, { host, port }, 'PING'),
          }),
          sight.seen.place.config.tls ? 'connected, by TLS' : 'connected',
        ),
};

const reachPing: PlaceCheck = {
  id: 'reach.ping',
  page: 'Verify Installation: redis-cli ping',
  why: 'A server that takes the connection and does not answer is stopped, overloaded, blocked by a script, or speaks TLS where we do not.',
  roles: ROLES,
  look(sight) {
    const { seen } = sight;
    const connected = seen.arrivals.filter(({ reached }) => reached === 'silent' || reached === 'answered');
    if (connected.length === 0) return undefined;
    const [first] = connected;
    const fix = redisCli(seen.place.config, first as Arrival, 'PING');
    if (connected.every(({ reached }) => reached === 'silent'))
      return error(connected.map(({ reason }) => reason).join('; '), fix);
    if (connected.some(({ greeting }) => greeting === 'loading'))
      return warning('it is still reading its data set', fix);
    if (seen.entry.isTold) return ok('it answers');
    // Then it is the password's matter, below.
    return seen.entry.fault === 'auth' ? undefined : error(seen.entry.reason, fix);
  },
};

const reachPassword: PlaceCheck = {
  id: 'reach.password',
  page: 'Common Errors: 500 NOAUTH',
  why: 'Redis lets in nobody without the right password; cache services answer 500, all else 503.',
  roles: ROLES,
  look({ role, seen }) {
    const { config } = seen.place;
    if (seen.entry.isTold)
      return ok(config.password ? 'the password is taken' : 'let in without a password of ours');
    if (seen.entry.fault !== 'auth') return undefined;
    const family = seen.place.roles.length > 1 ? 'REDIS' : role.toUpperCase();
    return error(
      `${config.password ? 'the password that is configured is refused' : 'no password is configured'}: ${seen.entry.reason}`,
      `${family}_PASSWORD=…   # what requirepass, or the ACL of the user, says`,
    );
  },
};

export const REACH_CHECKS: readonly PlaceCheck[] = [reachName, reachPort, reachPing, reachPassword];
