/** This file owns what an operator types: redis-cli against one node, for what a client of ours has no words for. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { ADMIN_PASSWORD } from '@sluice/redis/testing';
import type { RedisNode } from './topology.ts';

const TIMEOUT_MS = 10_000;
/** Told by the environment, where no list of processes shows it. */
const env = { ...process.env, REDISCLI_AUTH: ADMIN_PASSWORD };

/** What it prints, without the last line's end. Rejects when Redis is away or does not answer in time. */
export async function redisCli(
  { host, port }: Pick<RedisNode, 'host' | 'port'>,
  ...args: readonly string[]
): Promise<string> {
  const all = ['-e', '-h', host, '-p', String(port), ...args];
  return (await promisify(execFile)('redis-cli', all, { env, timeout: TIMEOUT_MS })).stdout.trim();
}

/** `redis-cli --cluster …`, which may take minutes. */
export async function clusterCli(...args: readonly string[]): Promise<void> {
  await promisify(execFile)('redis-cli', ['--cluster', ...args], { env, maxBuffer: 64 * 1024 * 1024 });
}
