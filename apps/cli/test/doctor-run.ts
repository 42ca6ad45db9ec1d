/** This file owns a run of the doctor, and servers as the published page would have them. */
import { Secret } from '@sluice/config';
import type { TestServer } from '@sluice/redis/testing';
import { expect, type TestContext } from 'vitest';
import type { Finding } from '../src/doctor/finding.ts';
import type { Report } from '../src/doctor/report.ts';
import { runProgram } from '../src/program.ts';
import { dataDirectory } from './sluice.ts';

export const PASSWORD = 'canary-of-the-password';
export const ON_REDIS = { CACHE_DRIVER: 'redis', SESSION_DRIVER: 'redis' };

/** As the published page would have it, with the policy that the role needs. */
export const GOOD = (policy: string) => [
  `requirepass ${PASSWORD}`,
  'maxmemory 256mb',
  `maxmemory-policy ${policy}`,
  'save 900 1 300 10 60 10000',
  'appendonly yes',
  'appendfsync everysec',
  'rename-command FLUSHDB ""',
  'rename-command FLUSHALL ""',
  'rename-command DEBUG ""',
];
export const ENTRY = { config: { password: new Secret(PASSWORD) } };

export function at(server: TestServer): Record<string, string> {
  return { REDIS_HOST: '127.0.0.1', REDIS_PORT: String(server.port) };
}

/** The one finding; fails when there is none, or another. */
export function only(findings: readonly Finding[], id: string, role: string): Finding | undefined {
  const found = findings.filter((finding) => finding.id === id && finding.role === role);
  expect(found, `${id} for ${role}`).toHaveLength(1);
  return found[0];
}

export async function doctor(t: TestContext, variables: Record<string, string>, ...args: string[]) {
  const own = { ...ON_REDIS, SLUICE_DATA_DIR: await dataDirectory(t), ...variables };
  const { status, stdout, stderr } = await run(['doctor', '--json', ...args], own);
  expect(stderr).toBe('');
  const report = JSON.parse(stdout) as Report;
  expect(status).toBe(report.status);
  return { ...report, stdout };
}

export async function run(args: readonly string[], variables: Record<string, string>, isTty = false) {
  const written = { stdout: '', stderr: '' };
  const status = await runProgram(args, {
    variables,
    isTty,
    out: (text) => {
      written.stdout += text;
    },
    err: (text) => {
      written.stderr += text;
    },
  });
  return { status, ...written };
}
