import { execFile } from 'node:child_process';
import { access, constants, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { freePort, Program } from '../e2e/product.ts';
import { readDockerfile } from './dockerfile.ts';

const ROOT = resolve(import.meta.dirname, '../..');
const DEPLOY = join(ROOT, 'deploy');
const DEADLINE_SECONDS = 25;
const run = promisify(execFile);

interface ComposeService {
  command?: string[];
  environment?: Record<string, string>;
  secrets?: string[];
  depends_on?: Record<string, { condition: string }>;
  healthcheck?: { test: string[] };
  volumes?: string[];
  stop_grace_period?: string;
  user?: string;
  [field: string]: unknown;
}

interface Compose {
  services: Record<string, ComposeService>;
  secrets: Record<string, { file: string }>;
  volumes: Record<string, unknown>;
}

async function compose(): Promise<Compose> {
  return parse(await readFile(join(DEPLOY, 'compose.yaml'), 'utf8'), { merge: true }) as Compose;
}

async function isProgram(path: string): Promise<boolean> {
  return await access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}

/** Names that README's table explains, families (`CACHE_*`) included. */
async function unexplained(names: readonly string[]): Promise<string[]> {
  const readme = await readFile(join(ROOT, 'README.md'), 'utf8');
  const isExplained = (name: string) =>
    readme.includes(`\`${name}\``) || readme.includes(`\`${name.split('_')[0]}_*\``);
  return names.filter((name) => !isExplained(name) && name !== 'NODE_ENV' && name !== 'PATH');
}

describe('compose.yaml', () => {
  it('has two of each process, healthy before others depend on them, with secrets as files', async () => {
    const { services, secrets } = await compose();

    expect(Object.keys(services)).toEqual([
      'proxy',
      'api-1',
      'api-2',
      'worker-1',
      'worker-2',
      'redis-queue',
      'redis-cache',
    ]);
    const nginx = await readFile(join(DEPLOY, 'nginx.conf'), 'utf8');
    for (const name of ['api-1', 'api-2']) expect(nginx).toContain(`server ${name}:8080 `);
    for (const [name, service] of Object.entries(services)) {
      for (const dependency of Object.keys(service.depends_on ?? {})) {
        expect(service.depends_on?.[dependency], name).toEqual({ condition: 'service_healthy' });
        expect(services[dependency]).toBeDefined();
      }
      for (const secret of service.secrets ?? [])
        expect(secrets[secret]).toEqual({ file: `./secrets/${secret}` });
      for (const volume of service.volumes ?? []) {
        const [from = ''] = volume.split(':');
        if (from.startsWith('./')) await access(join(DEPLOY, from));
      }
      if (!/^(api|worker)-/.test(name)) continue;
      expect(await isProgram(join(DEPLOY, 'bin', String(service.command?.[0])))).toBe(true);
      expect(await unexplained(Object.keys(service.environment ?? {}))).toEqual([]);
      expect(Number.parseInt(service.stop_grace_period ?? '', 10)).toBeGreaterThan(DEADLINE_SECONDS + 5);
    }
  });

  it.for([
    ['queue', 'noeviction', 'yes'],
    ['cache', 'allkeys-lru', 'no'],
  ] as const)(
    'starts the Redis for %s as it should be: %s, appendonly %s',
    async ([name, policy, appendOnly], t) => {
      const folder = await mkdtemp(join(tmpdir(), 'sluice-deploy-redis-'));
      const port = String(await freePort());
      const configuration = join(DEPLOY, `redis/${name}.conf`);
      const args = [
        configuration,
        '--port',
        port,
        '--bind',
        '127.0.0.1',
        '--dir',
        folder,
        '--requirepass',
        'pw',
      ];
      const server = new Program('redis-server', args, process.env, folder);
      t.onTestFinished(async () => {
        await server.kill();
        await rm(folder, { recursive: true, force: true });
      });
      await server.says(/Ready to accept connections/);

      const ask = async (...command: string[]) =>
        (await run('redis-cli', ['-p', port, '--no-auth-warning', '-a', 'pw', ...command])).stdout;

      expect(await ask('config', 'get', 'maxmemory-policy')).toContain(policy);
      expect(await ask('config', 'get', 'appendonly')).toContain(appendOnly);
      expect(await ask('flushall')).toContain('unknown command');
    },
  );
});

describe('the Dockerfile', () => {
  it('runs as nobody special, and explains what it sets', async () => {
    const instructions = readDockerfile(join(DEPLOY, 'Dockerfile'));
    const last = instructions.slice(instructions.findLastIndex(({ name }) => name === 'FROM'));
    const text = (wanted: string) => last.filter(({ name }) => name === wanted).map((each) => each.text);

    expect(text('USER')).toEqual(['node']);
    expect(text('RUN')).toEqual([]);
    expect(await unexplained(text('ENV').map((each) => each.split('=')[0] as string))).toEqual([]);
  });
});

describe('the systemd units', () => {
  it('start what the release has, and leave it the time to stop', async () => {
    const units = (await readdir(join(DEPLOY, 'systemd'))).filter((name) => name.endsWith('.service'));

    expect(units).toEqual(['sluice-api@.service', 'sluice-worker@.service']);
    for (const unit of units) {
      const text = await readFile(join(DEPLOY, 'systemd', unit), 'utf8');
      const [, program = ''] = /^ExecStart=\/opt\/sluice\/bin\/(\w+)$/m.exec(text) ?? [];
      expect(await isProgram(join(DEPLOY, 'bin', program))).toBe(true);
      expect(Number(/^TimeoutStopSec=(\d+)$/m.exec(text)?.[1])).toBeGreaterThan(DEADLINE_SECONDS + 5);
    }
    const example = await readFile(join(DEPLOY, 'systemd/sluice.env.example'), 'utf8');
    const names = [...example.matchAll(/^#? ?([A-Z_]+)=/gm)].map(([, name]) => name as string);
    expect(await unexplained(names)).toEqual([]);
  });

  it('are taken by systemd, and leave little open, where systemd can be asked', async (t) => {
    const isThere = await isProgram('/usr/bin/systemd-analyze');
    const folder = await mkdtemp(join(tmpdir(), 'sluice-units-'));
    t.onTestFinished(() => rm(folder, { recursive: true, force: true }));
    const units = (await readdir(join(DEPLOY, 'systemd'))).filter((name) => name.endsWith('.service'));

    for (const unit of isThere ? units : []) {
      const file = join(folder, basename(unit));
      const text = await readFile(join(DEPLOY, 'systemd', unit), 'utf8');
      await writeFile(file, text.replace(/^ExecStart=\/opt\/sluice/m, `ExecStart=${DEPLOY}`));
      const verified = await run('systemd-analyze', ['verify', file]);
      expect(verified.stderr, unit).toBe('');
      const { stdout } = await run('systemd-analyze', ['security', '--offline=true', '--threshold=20', file]);
      expect(stdout).toMatch(/exposure level for \S+: 1\.\d OK/);
    }
  });
});
