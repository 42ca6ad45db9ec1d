/** This file owns who else gets to Redis: passwords, addresses, TLS, commands that destroy. */
import { BlockList, isIPv6 } from 'node:net';
import { ROLES } from '@sluice/config';
import { judge } from '../answer.ts';
import { type NodeCheck, type PlaceCheck, setting } from '../check.ts';
import { error, info, ok, unknown, warning } from '../finding.ts';
import { nodeCli, redisCli, setConfig } from '../fix.ts';

const PAGE = 'Security';

const LOOPBACK = new BlockList();
LOOPBACK.addSubnet('127.0.0.0', 8);
LOOPBACK.addAddress('::1', 'ipv6');

/** RFC 1918, RFC 6598, RFC 3927, RFC 4193, RFC 4291. */
const PRIVATE = new BlockList();
for (const [network, bits] of [
  ['127.0.0.0', 8],
  ['10.0.0.0', 8],
  ['172.16.0.0', 12],
  ['192.168.0.0', 16],
  ['100.64.0.0', 10],
  ['169.254.0.0', 16],
] as const)
  PRIVATE.addSubnet(network, bits);
PRIVATE.addAddress('::1', 'ipv6');
PRIVATE.addSubnet('fc00::', 7, 'ipv6');
PRIVATE.addSubnet('fe80::', 10, 'ipv6');

const isIn = (list: BlockList, address: string) => list.check(address, isIPv6(address) ? 'ipv6' : 'ipv4');

const password: PlaceCheck = {
  id: 'security.password',
  page: `${PAGE}: Require authentication`,
  why: 'Whoever reaches the port reads every value and session, and may empty it.',
  roles: ROLES,
  look({ seen }) {
    const { config } = seen.place;
    const verdicts = seen.arrivals.flatMap(({ host, port, greeting, addresses }) => {
      const at = `${host}:${port}`;
      // A Sentinel tells where the master is and keeps no values.
      if (greeting === 'served' && config.kind !== 'sentinel') {
        const isOnlyHere = addresses.every((address) => isIn(LOOPBACK, address));
        const say = isOnlyHere ? warning : error;
        const set = redisCli(config, { host, port }, 'CONFIG', 'SET', 'requirepass');
        return [
          say(
            `${at} answers a stranger's PING${isOnlyHere ? ', from this machine alone' : ''}`,
            `${set} "$(openssl rand -hex 32)"   # then the same as REDIS_PASSWORD`,
          ),
        ];
      }
      return greeting === 'locked' || greeting === 'protected'
        ? [ok(`${at} asks a stranger for a password`)]
        : [];
    });
    if (config.kind === 'sentinel' && seen.entry.isTold) {
      return config.password
        ? ok('the master is entered with a password')
        : warning(
            'the master is entered without a password',
            'requirepass and masterauth in redis.conf of every node',
          );
    }
    return verdicts;
  },
};

const tls: PlaceCheck = {
  id: 'security.tls',
  page: null,
  why: 'Passwords and values cross the network in clear text.',
  roles: ROLES,
  look({ seen, role }) {
    const { config } = seen.place;
    if (config.tls) return ok('TLS, the certificate verified');
    const addresses = seen.arrivals.flatMap((arrival) => arrival.addresses);
    if (addresses.length === 0) return undefined;
    const far = addresses.filter((address) => !isIn(LOOPBACK, address));
    if (far.length === 0) return ok('plain TCP that does not leave this machine');
    const isPublic = far.some((address) => !isIn(PRIVATE, address));
    const fix = `${seen.place.roles.length > 1 ? 'REDIS' : role.toUpperCase()}_TLS=true`;
    return (isPublic ? error : warning)(`plain TCP to ${[...new Set(far)].join(', ')}`, fix);
  },
};

const bind: NodeCheck = {
  id: 'security.bind',
  page: `${PAGE}: Bind to localhost or private network`,
  why: 'A Redis that listens at every address is one firewall rule away from the internet.',
  roles: ROLES,
  look: (sight) =>
    judge(setting(sight, 'bind'), (value) => {
      const addresses = value
        .split(/\s+/)
        .map((address) => address.replace(/^-/, ''))
        .filter((address) => address !== '');
      const isWide =
        addresses.length === 0 || addresses.some((address) => /^(\*|0\.0\.0\.0|::\*?)$/.test(address));
      const evidence = `bind ${value === '' ? '(nothing: every address)' : value}`;
      if (isWide) return warning(evidence, setConfig(sight, 'bind', '127.0.0.1 -::1'));
      const open = addresses.filter((address) => !isIn(PRIVATE, address));
      return open.length === 0 ? ok(evidence) : error(evidence, setConfig(sight, 'bind', '127.0.0.1 -::1'));
    }),
};

const protectedMode: NodeCheck = {
  id: 'security.protected-mode',
  page: PAGE,
  why: 'Protected mode refuses strangers from other machines as long as there is no password; without both, everybody is let in.',
  roles: ROLES,
  look: (sight) =>
    judge(setting(sight, 'protected-mode'), (value) => {
      if (value === 'yes') return ok('protected-mode yes');
      const isLocked = sight.seen.arrivals.some(({ greeting }) => greeting === 'locked');
      return isLocked
        ? ok('protected-mode no, and a password is asked for')
        : error('protected-mode no, and no password', setConfig(sight, 'protected-mode', 'yes'));
    }),
};

const dangerous: NodeCheck = {
  id: 'security.dangerous-commands',
  page: `${PAGE}: Disable dangerous commands`,
  why: 'One typing error in the wrong terminal empties everything. We use none of them: a flush goes by SCAN and UNLINK. rename-command is deprecated since ACLs exist; either will do.',
  roles: ROLES,
  look(sight) {
    const user = sight.node.user.isTold
      ? sight.node.user.value.name
      : (sight.seen.place.config.username ?? 'default');
    const fix = `${nodeCli(sight, 'ACL', 'SETUSER', user, '-flushdb', '-flushall', '-debug')} && ${nodeCli(sight, 'CONFIG', 'REWRITE')}`;
    const { dangerous: allowed } = sight.node;
    // Who may not even ask is not told `ok`; that nothing was seen is no fault of the set-up.
    if (!allowed.isTold) return unknown(`${allowed.command}: ${allowed.reason}`, fix);
    return allowed.value.length === 0
      ? ok('FLUSHDB, FLUSHALL and DEBUG are refused')
      : warning(`our user may run ${allowed.value.join(', ')}`, fix);
  },
};

const user: NodeCheck = {
  id: 'security.user',
  page: null,
  why: 'A user of its own, with the commands and keys it needs, bounds what a leaked password can do.',
  roles: ROLES,
  look: ({ node, seen }) =>
    judge(node.user, ({ name, commands }) => {
      const fix = `${seen.place.roles.length > 1 ? 'REDIS' : seen.place.roles[0]?.toUpperCase()}_USERNAME=sluice   # the ACL is in docs/doctor.md`;
      if (!commands.isTold)
        return name === 'default' ? info('we are the default user', fix) : ok(`we are '${name}'`);
      const isAll = /^\+@all\b/.test(commands.value) && !/ -/.test(commands.value);
      return isAll ? info(`we are '${name}', who may do everything`, fix) : ok(`we are '${name}'`);
    }),
};

export const SECURITY_CHECKS: readonly PlaceCheck[] = [password, tls];
export const SECURITY_NODE_CHECKS: readonly NodeCheck[] = [bind, protectedMode, dangerous, user];
