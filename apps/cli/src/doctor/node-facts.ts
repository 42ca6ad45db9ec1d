/** This file owns what one Redis server tells of itself; it reads and changes nothing. */
import type { Redis } from '@sluice/redis';
import { type Answer, ask } from './answer.ts';

export type Info = ReadonlyMap<string, string>;

export interface NodeFacts {
  /** `host:port` */
  address: string;
  info: Answer<Info>;
  settings: ReadonlyMap<SettingName, Answer<string>>;
  /** Who we are to it. */
  user: Answer<{ name: string; commands: Answer<string> }>;
  /** Of FLUSHDB, FLUSHALL and DEBUG, those that we may run. */
  dangerous: Answer<readonly string[]>;
  slowCommands: Answer<number>;
  clients: Answer<{ all: number; ours: number }>;
  clock: Answer<{ skewMs: number }>;
  latency: Answer<{ medianMs: number; worstMs: number; trips: number }>;
}

/** One by one, as servers before 7.0 take one name each, and `*` would tell passwords. */
export const SETTINGS = [
  'bind',
  'protected-mode',
  'save',
  'appendfsync',
  'no-appendfsync-on-rewrite',
  'stop-writes-on-bgsave-error',
  'min-replicas-to-write',
  'min-replicas-max-lag',
  'maxclients',
  'timeout',
  'logfile',
  'slowlog-log-slower-than',
] as const;
export type SettingName = (typeof SETTINGS)[number];

/** What the published page takes away from everybody; DEBUG is asked for with a word, as it has no form without. */
const DANGEROUS: readonly (readonly [string, ...string[]])[] = [['FLUSHDB'], ['FLUSHALL'], ['DEBUG', 'HELP']];
const TRIPS = 20;
const TRIPS_BUDGET_MS = 500;
/** As `connect` names them. */
const OUR_NAME = /\bname=sluice:/;

export async function readNode(node: Redis, address: string): Promise<NodeFacts> {
  const [info, settings, user, dangerous, slowCommands, clients, clock] = await Promise.all([
    ask('INFO', async () => parseInfo(await node.info())),
    readSettings(node),
    readUser(node),
    readDangerous(node),
    ask('SLOWLOG LEN', async () => Number(await node.slowlog('LEN'))),
    ask('CLIENT LIST', async () => countClients(String(await node.client('LIST')))),
    readClock(node),
  ]);
  // Alone, or it would measure the answers above.
  const latency = await readLatency(node);
  return { address, info, settings, user, dangerous, slowCommands, clients, clock, latency };
}

/** A field as a number; `undefined` when the server, or its version, does not tell it. */
export function numberOf(info: Info, field: string): number | undefined {
  const text = info.get(field);
  return text === undefined || text === '' || Number.isNaN(Number(text)) ? undefined : Number(text);
}

function parseInfo(text: string): Info {
  const fields = new Map<string, string>();
  for (const line of text.split(/\r?\n/)) {
    const at = line.indexOf(':');
    if (at > 0 && !line.startsWith('#')) fields.set(line.slice(0, at), line.slice(at + 1));
  }
  return fields;
}

async function readSettings(node: Redis): Promise<ReadonlyMap<SettingName, Answer<string>>> {
  const answers = await Promise.all(
    SETTINGS.map(async (name) => {
      const command = `CONFIG GET ${name}`;
      const answer = await ask(command, async () => {
        const reply = (await node.call('CONFIG', 'GET', name)) as readonly string[];
        if (reply[1] === undefined) throw new Error('this server knows no such setting');
        return reply[1];
      });
      return [name, answer] as const;
    }),
  );
  return new Map(answers);
}

async function readUser(node: Redis): Promise<NodeFacts['user']> {
  return await ask('ACL WHOAMI', async () => {
    const name = String(await node.call('ACL', 'WHOAMI'));
    const commands = await ask('ACL GETUSER', async () => {
      const reply = (await node.call('ACL', 'GETUSER', name)) as unknown[];
      return String(reply[reply.indexOf('commands') + 1]);
    });
    return { name, commands };
  });
}

/** A command that was renamed is unknown to COMMAND INFO; what the ACL says of the others is asked without running them. */
async function readDangerous(node: Redis): Promise<NodeFacts['dangerous']> {
  const names = DANGEROUS.map(([name]) => name);
  const known = await ask('COMMAND INFO', async () => {
    const reply = (await node.call('COMMAND', 'INFO', ...names)) as unknown[];
    return DANGEROUS.filter((_, index) => reply[index] !== null && reply[index] !== undefined);
  });
  if (!known.isTold || known.value.length === 0) return known.isTold ? { isTold: true, value: [] } : known;
  return await ask('ACL DRYRUN', async () => {
    const user = String(await node.call('ACL', 'WHOAMI'));
    const verdicts = await Promise.all(
      known.value.map(async (command) => ({
        name: command[0],
        isAllowed: (await node.call('ACL', 'DRYRUN', user, ...command)) === 'OK',
      })),
    );
    return verdicts.filter(({ isAllowed }) => isAllowed).map(({ name }) => name);
  });
}

function countClients(list: string): { all: number; ours: number } {
  const lines = list.split('\n').filter((line) => line.trim() !== '');
  return { all: lines.length, ours: lines.filter((line) => OUR_NAME.test(line)).length };
}

/** Redis' time beside ours in the middle of the call, so that the way there and back counts half each. */
async function readClock(node: Redis): Promise<NodeFacts['clock']> {
  return await ask('TIME', async () => {
    const before = Date.now();
    const [seconds, microseconds] = await node.time();
    const middle = (before + Date.now()) / 2;
    return { skewMs: Math.round(Number(seconds) * 1_000 + Number(microseconds) / 1_000 - middle) };
  });
}

/** ECHO, which a Redis that cannot write to its disk answers as well; PING it refuses. */
async function readLatency(node: Redis): Promise<NodeFacts['latency']> {
  return await ask('ECHO', async () => {
    const tookMs: number[] = [];
    const endsAt = performance.now() + TRIPS_BUDGET_MS;
    do {
      const startedAt = performance.now();
      await node.echo('x');
      tookMs.push(performance.now() - startedAt);
    } while (tookMs.length < TRIPS && performance.now() < endsAt);
    tookMs.sort((a, b) => a - b);
    const medianMs = tookMs[Math.floor(tookMs.length / 2)] ?? 0;
    return { medianMs, worstMs: tookMs.at(-1) ?? 0, trips: tookMs.length };
  });
}
