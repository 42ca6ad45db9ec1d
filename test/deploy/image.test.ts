import { cp, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { freePort, KEY, OwnRedis, Program, until } from '../e2e/product.ts';
import { buildImage, type Image } from './dockerfile.ts';

const ROOT = resolve(import.meta.dirname, '../..');
const SECRET = 'a-master-secret-of-more-than-32-characters';

let folder: string;
let image: Image;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sluice-image-'));
  image = await buildImage({ dockerfile: join(ROOT, 'deploy/Dockerfile'), context: ROOT, folder, run });
}, 300_000);

afterAll(() => rm(folder, { recursive: true, force: true }));

/** A RUN line. Compiled code of the same sources is taken from turbo's cache, and packages from npm's. */
async function run(command: string, cwd: string): Promise<void> {
  const { PATH, HOME } = process.env;
  const env = {
    PATH,
    HOME,
    DO_NOT_TRACK: '1',
    TURBO_CACHE_DIR: join(ROOT, '.turbo/cache'),
    npm_config_prefer_offline: 'true',
    npm_config_fetch_retries: '0',
  };
  const program = new Program('sh', ['-c', command], env, cwd);
  if ((await program.exited) === 0) return;
  const hasNoNetwork = /ENOTCACHED|ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ETIMEDOUT|ENETUNREACH/.test(
    program.output,
  );
  if (!command.startsWith('npm ci') || !hasNoNetwork) throw new Error(`${command}\n${program.output}`);
  // Neither npm's cache nor the network has the packages: those of the repository are the ones of the lock file.
  const options = { recursive: true, verbatimSymlinks: true };
  await cp(join(ROOT, 'node_modules'), join(cwd, 'node_modules'), options);
  for (const place of ['packages/rate-limit', 'apps/worker'])
    await cp(join(ROOT, place, 'node_modules'), join(cwd, place, 'node_modules'), options);
}

/** A command of the image, found on its PATH, with its environment and what `docker run` would add. */
function start(command: string[], variables: Record<string, string>): Program {
  const inside = Object.fromEntries(
    Object.entries(image.env).map(([name, value]) => [
      name,
      value.replace(/(^|:)\/(app|var)/g, `$1${image.root}/$2`).replace('$PATH', process.env.PATH ?? ''),
    ]),
  );
  const { PATH = '' } = inside;
  // The shell looks the command up, as a container's runtime does.
  const args = ['-c', 'exec "$@"', 'sh', ...command];
  return new Program('sh', args, { ...inside, PATH, ...variables }, join(image.root, image.workdir));
}

describe('what the Dockerfile builds', () => {
  it('holds what runs and nothing else', async () => {
    expect((await readdir(join(image.root, 'app'))).sort()).toEqual([
      'LICENSE',
      'README.md',
      'apps',
      'bin',
      'node_modules',
      'package.json',
      'packages',
    ]);
    const modules = await readdir(join(image.root, 'app/node_modules'));
    expect(modules).toEqual(expect.arrayContaining(['bullmq', 'hono', 'ioredis', 'pino', 'zod']));
    for (const tool of [
      'typescript',
      'vitest',
      'turbo',
      '@biomejs',
      'playwright-core',
      'js-redis-server',
      'tsx',
    ])
      expect(modules).not.toContain(tool);
    for (const app of ['api', 'worker', 'cli'])
      expect(await readdir(join(image.root, 'app/apps', app))).not.toEqual(
        expect.arrayContaining(['src', 'test']),
      );
    expect(image).toMatchObject({ user: 'node', command: ['api'], workdir: '/var/lib/sluice' });
  });

  it('serves: api and worker start from it, a job runs, health is told, SIGTERM ends both cleanly', {
    timeout: 90_000,
  }, async (t) => {
    const redis = await OwnRedis.start(t);
    // As orchestrators mount them.
    const secrets = join(folder, 'secrets');
    await mkdir(secrets);
    await writeFile(join(secrets, 'SLUICE_API_KEY'), `${KEY}\n`);
    await writeFile(join(secrets, 'SLUICE_SECRET'), SECRET);
    await writeFile(join(secrets, '..data'), 'not a variable');
    const variables = {
      REDIS_URL: redis.url,
      CACHE_DRIVER: 'redis',
      SLUICE_SECRETS_DIR: secrets,
      HOST: '127.0.0.1',
      WORKER_HEALTH_HOST: '127.0.0.1',
      PORT: String(await freePort()),
      WORKER_HEALTH_PORT: String(await freePort()),
      SHUTDOWN_LINGER_SECONDS: '1',
    };
    expect(await start(image.healthCommand, variables).exited).toBe(1);
    const api = start(image.command, variables);
    t.onTestFinished(() => api.kill());
    const [url] = await api.says(/http:\/\/localhost:\d+/);
    expect(await start(image.healthCommand, variables).exited).toBe(0);
    const worker = start(['worker'], variables);
    t.onTestFinished(() => worker.kill());
    await worker.says(/worker started/);
    await until(async () => (await fetch(`${url}/readyz`)).ok || undefined, 30_000);

    const job = await fetch(`${url}/api/v2/queues/demo/jobs?wait=20`, {
      method: 'POST',
      headers: { 'X-DreamFactory-API-Key': KEY, 'Content-Type': 'application/json' },
      body: '{"name":"example.echo","data":{"hello":"image"}}',
    });
    const cli = start(['sluice', 'queues', '--json'], { ...variables, SLUICE_URL: String(url) });

    expect(await job.json()).toMatchObject({ state: 'completed', result: { hello: 'image' } });
    expect(await cli.exited, cli.output).toBe(0);
    expect(cli.output).toContain('"demo"');
    worker.signal('SIGTERM');
    api.signal('SIGTERM');
    expect(await worker.exited, worker.output).toBe(0);
    expect(await api.exited, api.output).toBe(0);
    expect(api.output + worker.output).not.toContain(SECRET);
  });
});
