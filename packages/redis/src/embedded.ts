/**
 * This file owns a Redis of our own for whoever has none: `redis-server` or `valkey-server` from PATH as a child with
 * its own folder and append-only file, or, where neither is installed, an imitation in this process.
 *
 *   claim the folder -> end what an earlier start left over -> redis-server? -> valkey-server? -> in-process
 *
 * For one machine and one `sluice up`. Whoever has a Redis names it, and none of this runs.
 */
import { randomBytes } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { DomainError } from '@sluice/runtime';
import { claimFolder } from './embedded/folder-claim.ts';
import { startInProcess } from './embedded/in-process.ts';
import { freePort, isFree } from './embedded/port.ts';
import { endProcess, isAlive } from './embedded/process-identity.ts';
import { startServerChild } from './embedded/server-child.ts';
import { readRecord, writeRecord } from './embedded/server-record.ts';
import {
  type EmbeddedEnd,
  type EmbeddedKind,
  SERVER_PROGRAMS,
  type ServerProgram,
  type StartedServer,
} from './embedded/started-server.ts';

export type { EmbeddedEnd, EmbeddedKind, ServerProgram } from './embedded/started-server.ts';

/** `data_folder_in_use`: another living process runs a Redis there. `redis_unstartable`: a server was found and will not run. */
export const EMBEDDED_ERRORS = ['data_folder_in_use', 'redis_unstartable'] as const;
export type EmbeddedErrorCode = (typeof EMBEDDED_ERRORS)[number];

export interface EmbeddedRedis {
  /** Holds the password of this folder's server: for a connection, not for a log. */
  readonly url: string;
  readonly kind: EmbeddedKind;
  readonly port: number;
  /** As the server tells it. */
  readonly version: string;
  /** What this Redis is not, in words for whoever started it. */
  readonly warning: string;
  /** Settles once, when the server has ended; the folder is free again by then. */
  readonly ended: Promise<EmbeddedEnd>;
  /** Lets the server write what it has, and resolves when it is gone. Safe to call twice. */
  stop(): Promise<void>;
}

export interface EmbeddedOptions {
  /** Where the data live; made when absent, readable by this user alone. One living server per folder. */
  directory: string;
  /** Told in a few words what is being done, as it is done. */
  onProgress?: (step: string) => void;
  /** Servers to look for on PATH, in this order; default `redis-server`, `valkey-server`. Empty: in-process. */
  programs?: readonly ServerProgram[];
  /**
   * How long the server stays when its owner was killed, for others to finish what they report to it; default 30 s,
   * counted in whole seconds. A new start in the same folder ends it before.
   */
  orphanGraceMs?: number;
  /** Lines of redis.conf after ours, such as `user …`; default none. A server in-process does not heed them. */
  settings?: readonly string[];
}

const PORT_ATTEMPTS = 5;
/** Above the 25 s that apps take to stop by default. */
const DEFAULT_ORPHAN_GRACE_MS = 30_000;

const WARNINGS: Readonly<Record<'child' | 'in-process', string>> = {
  child:
    'This Redis lives on this machine alone: no replica, and a power cut may lose the last second. ' +
    'For production name your own with REDIS_URL.',
  'in-process':
    'NO REDIS FOUND. An imitation of Redis runs inside this process: slow, complete only as far as it goes, and ALL ' +
    'DATA ARE LOST when it stops. Good for a first look, for nothing else. Install redis-server, or name your own with REDIS_URL.',
};

/**
 * Starts a Redis on 127.0.0.1, at the port of the last start when that is free, with a password that only this
 * folder's record knows. Data written before `stop()` are there at the next start, except in-process.
 *
 * Rejects with `data_folder_in_use` or `redis_unstartable`. A server that an earlier process left running in this
 * folder is ended first, as `stop()` would have.
 */
export async function startEmbeddedRedis(options: EmbeddedOptions): Promise<EmbeddedRedis> {
  const {
    directory,
    onProgress = () => undefined,
    programs = SERVER_PROGRAMS,
    orphanGraceMs = DEFAULT_ORPHAN_GRACE_MS,
    settings = [],
  } = options;
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const claim = await claimFolder(directory);
  if (!claim.isOurs) {
    throw new DomainError<EmbeddedErrorCode>(
      'data_folder_in_use',
      `the Redis in ${directory} belongs to process ${claim.holder}, which is running: stop that one first, or use another folder`,
      { details: { pid: claim.holder } },
    );
  }
  try {
    const record = await readRecord(directory);
    if (record?.process && record.kind !== 'in-process' && (await isAlive(record.process))) {
      onProgress(`ending process ${record.process.pid}, left over from an earlier start`);
      await endProcess(record.process);
    }
    const password = record?.password ?? randomBytes(24).toString('hex');
    const port = record?.port;
    const server = await startServer({
      directory,
      onProgress,
      programs,
      password,
      port,
      orphanGraceMs,
      settings,
    });
    await writeRecord(directory, { kind: server.kind, port: server.port, password, process: server.process });
    const ended = server.ended.then(async (end) => {
      await claim.release();
      return end;
    });
    return {
      url: urlOf({ port: server.port, password }),
      kind: server.kind,
      port: server.port,
      version: server.version,
      warning: WARNINGS[server.kind === 'in-process' ? 'in-process' : 'child'],
      ended,
      async stop() {
        await server.stop();
        await ended;
      },
    };
  } catch (error) {
    await claim.release();
    throw error;
  }
}

/** The Redis that a living process runs in this folder, or `undefined`. */
export async function findEmbeddedRedis(
  directory: string,
): Promise<{ url: string; kind: EmbeddedKind } | undefined> {
  const record = await readRecord(directory);
  if (!record?.process || !(await isAlive(record.process))) return undefined;
  return { url: urlOf(record), kind: record.kind };
}

async function startServer(options: {
  directory: string;
  onProgress: (step: string) => void;
  programs: readonly ServerProgram[];
  password: string;
  port: number | undefined;
  orphanGraceMs: number;
  settings: readonly string[];
}): Promise<StartedServer & { kind: EmbeddedKind; port: number }> {
  const { directory, onProgress, programs, ...more } = options;
  let port = options.port !== undefined && (await isFree(options.port)) ? options.port : await freePort();
  for (const program of programs) {
    for (let attempt = 1; attempt <= PORT_ATTEMPTS; attempt += 1) {
      onProgress(`starting ${program} on 127.0.0.1:${port}, data in ${directory}`);
      const started = await startServerChild({ ...more, program, directory, port });
      if (started.outcome === 'ready') return { ...started.server, kind: program, port };
      if (started.outcome === 'not_installed') break;
      if (started.outcome === 'failed') {
        throw new DomainError<EmbeddedErrorCode>(
          'redis_unstartable',
          `${program} ended with ${started.end.reason} before it was ready: ${started.end.lastLines.slice(-3).join(' | ')}`,
          { details: { lastLines: started.end.lastLines } },
        );
      }
      // Somebody took the port between our look and the server's.
      port = await freePort();
    }
  }
  onProgress(`starting an imitation of Redis in this process on 127.0.0.1:${port}`);
  return { ...(await startInProcess({ port, password: options.password })), kind: 'in-process', port };
}

function urlOf({ port, password }: { port: number; password: string }): string {
  return `redis://:${password}@127.0.0.1:${port}/0`;
}
