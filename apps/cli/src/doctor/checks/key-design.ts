/** This file owns keys: whether those that should end do, how they are named, and that nobody's lie inside another's. */
import { type Keyspace, keyspace } from '@sluice/config';
import { judge } from '../answer.ts';
import type { PlaceCheck } from '../check.ts';
import { info, ok, type Verdict, warning } from '../finding.ts';
import { redisCli } from '../fix.ts';
import { entryRoot } from '../keys.ts';

/** The page's "short but descriptive": longer ones cost more than many a value. */
const LONG_KEY_BYTES = 256;

const ttl: PlaceCheck = {
  id: 'keys.ttl',
  page: 'TTL (Time-To-Live)',
  why: 'Every session and every counter of ours has a TTL; one without stays for ever, and somebody else wrote it or took it away.',
  roles: ['session', 'limit'],
  look({ role, seen }) {
    if (role !== 'session' && role !== 'limit') return undefined;
    const answer = seen.samples.get(role);
    return (
      answer &&
      judge(answer, ({ keys, endless }) =>
        endless === 0
          ? ok(`${keys} keys looked at, all end`)
          : warning(
              `${endless} of ${keys} keys looked at have no TTL`,
              `redis-cli --scan --pattern '*:${role}:*' | xargs -L 1 redis-cli PTTL`,
            ),
      )
    );
  },
};

const endless: PlaceCheck = {
  id: 'keys.endless',
  page: 'TTL (Time-To-Live): 0, no expiration',
  why: 'Values that are kept for ever fill a cache that nothing empties; under allkeys-lru they go like all others.',
  roles: ['cache'],
  look({ seen }) {
    const forever = seen.place.services.filter(({ defaultTtlMinutes }) => defaultTtlMinutes === 0);
    if (forever.length > 0) {
      return info(
        `default_ttl 0: ${forever.map(({ name }) => name).join(', ')}`,
        '"default_ttl": 300 for the service in sluice.config.json',
      );
    }
    const answer = seen.samples.get('cache');
    return (
      answer &&
      judge(answer, ({ keys, endless: count }) => {
        const evidence = `${count} of ${keys} keys looked at are kept for ever`;
        return count * 2 > keys ? info(evidence, 'a "ttl" above 0 with each value') : ok(evidence);
      })
    );
  },
};

const names: PlaceCheck = {
  id: 'keys.names',
  page: 'Key Design',
  why: 'Colons between parts, short but descriptive, without blanks and special characters: such keys are found again with redis-cli and cost little.',
  roles: ['cache'],
  look({ seen }) {
    const answer = seen.samples.get('cache');
    return (
      answer &&
      judge(answer, ({ keys, awkward, longestBytes }) => {
        const evidence = `${keys} keys looked at, the longest of ${longestBytes} bytes, ${awkward} with blanks or special characters`;
        const fix = redisCli(seen.place.config, hostOf(seen.label), '--bigkeys');
        return awkward > 0 || longestBytes > LONG_KEY_BYTES ? info(evidence, fix) : ok(evidence);
      })
    );
  },
};

const hostOf = (label: string) => {
  const match = /([\w.-]+|\[[\da-f:]+\]):(\d+)/i.exec(label);
  return { host: match?.[1] ?? 'localhost', port: Number(match?.[2] ?? 6_379) };
};

/** The prefix is of the whole installation, so it is read where it is told. */
export function overlapCheck(prefix: string): PlaceCheck {
  return {
    id: 'keys.overlap',
    page: 'Key Design: consistent naming conventions',
    why: 'Keys that begin alike are listed, counted and flushed together: a flush of one service would remove what is not its own.',
    roles: ['cache'],
    look: ({ seen }) =>
      overlaps(seen.place, keyspace(prefix, { isCluster: seen.place.config.kind === 'cluster' })),
  };
}

function overlaps(
  { services }: { services: readonly { name: string; options: { keyPrefix: string | undefined } }[] },
  keys: Keyspace,
): Verdict {
  const roots = services.map(({ name, options }) => ({
    name,
    root: options.keyPrefix ?? entryRoot(keys, name),
    isOwn: options.keyPrefix !== undefined,
  }));
  const clashes = roots.flatMap((one, index) => [
    ...roots
      .slice(index + 1)
      .filter((other) => one.root.startsWith(other.root) || other.root.startsWith(one.root))
      .map((other) => `${one.name} ('${one.root}') and ${other.name} ('${other.root}')`),
    ...(one.isOwn && (keys.prefix.startsWith(one.root) || one.root.startsWith(keys.prefix))
      ? [`${one.name} ('${one.root}') and what we keep under '${keys.prefix}'`]
      : []),
  ]);
  return clashes.length === 0
    ? ok(`${roots.map(({ name, root }) => `${name} under '${root}'`).join(', ')}`)
    : warning(clashes.join('; '), '"key_prefix" of its own for the service in sluice.config.json');
}

export const KEY_CHECKS: readonly PlaceCheck[] = [ttl, endless, names];
