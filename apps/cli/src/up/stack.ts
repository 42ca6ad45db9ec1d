/**
 * This file owns the whole of `sluice up`: what is started in which order, what is shown, how it all stops.
 *
 *   ports -> Redis -> API, worker -> addresses -> ... -> signal, or a part given up -> API, worker -> Redis
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { describeRedis } from '@sluice/config';
import { findEmbeddedRedis } from '@sluice/redis/embedded';
import { startAll, untilSignal } from '@sluice/runtime';
import type { CliConfig } from '../config.ts';
import { CommandFailure } from '../failure.ts';
import type { Terminal } from '../terminal.ts';
import { type Announcements, readAnnouncements } from './announcement.ts';
import { type AppName, spawnApp } from './app-process.ts';
import { Member } from './member.ts';
import { OwnRedis } from './own-redis.ts';
import { findPort, findPortNear, untilListeningOn } from './port.ts';
import { untilOpen, untilReady } from './readiness.ts';
import { addresses, createScreen, example, type Screen } from './screen.ts';
import { together } from './together.ts';

const WORKER_HEALTH_PORT = 8081;
/** The first key is made as soon as Redis answers: an installation's first addresses wait for it, to be shown beside it. */
const FIRST_KEY_GRACE_MS = 2_000;
/** What the apps get beyond their own deadline before they are killed. */
const STOP_GRACE_MS = 5_000;

/** Runs until SIGINT or SIGTERM; answers the names of what did not stop cleanly. Rejects when a part will not run. */
export async function runStack(options: {
  config: CliConfig;
  terminal: Terminal;
  isJson: boolean;
}): Promise<string[]> {
  const { config, terminal, isJson } = options;
  const asked = untilSignal();
  const isColoured = process.stdout.isTTY && !config.environment.NO_COLOR;
  const screen = createScreen({ terminal, isJson, isColoured });
  const tell = (what: string, lines: readonly string[]) => {
    for (const line of [`! ${what}`, ...lines.map((each) => `    ${each}`)]) screen.say(line);
  };
  const ports = await findPorts(config);
  const isFirstStart = !existsSync(join(config.dataDirectory, 'secret'));
  const announcements = readAnnouncements();
  const ownRedis = config.isRedisNamed
    ? undefined
    : new OwnRedis({
        directory: config.redisDirectory,
        dataDirectory: config.dataDirectory,
        screen,
      });
  const spawn = (name: AppName) =>
    spawnApp({
      name,
      environment: { ...environmentOf(config, ports), ...(ownRedis && { REDIS_URL: ownRedis.url }) },
      onLine: (line) => {
        const isAnnouncement = name === 'api' && announcements.read(line);
        if (isJson || !isAnnouncement) screen.log(name, line);
      },
    });
  const health = { host: config.workerHealth.host, port: ports.workerHealth };
  const workerReady = (until: AbortSignal) => untilListeningOn({ ...health, until });
  const apiReady = () => announcements.address;
  const redisMember = ownRedis && new Member({ name: 'redis', tell, run: () => ownRedis.run() });
  const workerMember = new Member({
    name: 'worker',
    tell,
    run: () => untilReady(spawn('worker'), { name: 'worker', ready: workerReady, asked }),
  });
  const apiMember = new Member({
    name: 'api',
    tell,
    run: () => untilReady(spawn('api'), { name: 'API', ready: apiReady, asked }),
  });

  const apps = together('apps', [workerMember, apiMember]);
  const running = await startAll(redisMember ? [redisMember, apps] : [apps]);
  const redis = ownRedis?.describe() ?? [describeRedis(config.roles.redis.queue)];
  if (!isJson) {
    const probe = `http://${reachable(config.host)}:${ports.api}`;
    if (!(await untilOpen(probe, asked)))
      screen.say('! Redis does not answer; until it does, the API refuses what needs it');
    const worker = `http://${reachable(health.host)}:${health.port}/readyz`;
    const graceMs = isFirstStart && !config.isFirstKeyGiven ? FIRST_KEY_GRACE_MS : 0;
    await showAddresses({ screen, announcements, redis, worker, graceMs });
  }
  const givenUp = [redisMember, workerMember, apiMember].map((member) => member?.givenUp ?? asked);
  const end = await Promise.race([asked, ...givenUp]).catch((error: Error) => error);
  screen.say('• stopping: the API and the worker finish what runs, Redis goes last');
  const unclean = await running.stop(config.shutdownDeadlineMs + STOP_GRACE_MS);
  if (end instanceof Error) throw new CommandFailure(`Stopped, because ${end.message}.`);
  screen.say('• stopped');
  return unclean;
}

interface Ports {
  api: number;
  workerHealth: number;
}

async function findPorts(config: CliConfig): Promise<Ports> {
  const { host, port, workerHealth } = config;
  const api = await findPort({ host, port }).catch((error: unknown) => explainTaken(config, error));
  if (workerHealth.port !== 0) return { api, workerHealth: workerHealth.port };
  const preferred = api === WORKER_HEALTH_PORT ? 0 : WORKER_HEALTH_PORT;
  return { api, workerHealth: await findPortNear({ host: workerHealth.host, preferred }) };
}

/** Rejects with `error`, or with a better word when it is we who have the port. */
async function explainTaken(config: CliConfig, error: unknown): Promise<never> {
  const running = config.isRedisNamed ? undefined : await findEmbeddedRedis(config.redisDirectory);
  if (!running) throw error;
  throw new CommandFailure(
    `Sluice is running already, with its data in ${config.dataDirectory}. Stop that one first (Ctrl-C in its terminal), ` +
      'or run a second one with another port and another folder: npm start -- --port 8090 --data-dir .sluice-2',
  );
}

function environmentOf(config: CliConfig, ports: Ports): CliConfig['environment'] {
  return {
    ...config.environment,
    SLUICE_DATA_DIR: config.dataDirectory,
    HOST: config.host,
    PORT: String(ports.api),
    WORKER_HEALTH_PORT: String(ports.workerHealth),
  };
}

/** Where a server that listens at `host` is reached from this machine. */
function reachable(host: string): string {
  if (host === '0.0.0.0' || host === '::') return '127.0.0.1';
  return host.includes(':') ? `[${host}]` : host;
}

async function showAddresses(options: {
  screen: Screen;
  announcements: Announcements;
  redis: readonly string[];
  worker: string;
  graceMs: number;
}): Promise<void> {
  const { screen, announcements, redis, worker, graceMs } = options;
  const { address, firstKey } = announcements;
  const url = await Promise.race([address, wait(0, undefined)]);
  // Asked to stop before it listened: there is nothing to show.
  if (url === undefined) return;
  const early = await Promise.race([firstKey, wait(graceMs, undefined)]);
  for (const line of addresses({ url, firstKey: early, redis, worker })) screen.say(line);
  if (early !== undefined) return;
  void firstKey.then((key) => {
    screen.say(`API key: ${key}`);
    screen.say(`  try     ${example(url, key)}`);
  });
}
