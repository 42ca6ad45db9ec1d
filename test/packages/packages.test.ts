import { cp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { TEST_REDIS_ADMIN_URL, TEST_REDIS_URL, testRedis } from '@sluice/redis/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { KEY, OwnRedis, startProduct } from '../e2e/product.ts';
import { installConsumer, type PackedPackage, packAll, ROOT, run, temporaryFolder } from './consumer.ts';

/** Programs of others keep sessions and more in areas of their own, which the product's user may not touch. */
const REDIS_URL = process.env[TEST_REDIS_ADMIN_URL] ?? process.env[TEST_REDIS_URL];

let folder: string;
let packages: PackedPackage[];
let project: string;

beforeAll(async () => {
  folder = await temporaryFolder();
  packages = await packAll(folder);
  project = await installConsumer(folder, packages);
}, 180_000);

afterAll(() => rm(folder, { recursive: true, force: true }));

/** What programs import: `@sluice/jobs`, `@sluice/jobs/worker` … */
function doors(): string[] {
  return packages.flatMap(({ name, manifest }) =>
    Object.keys(manifest.exports)
      .filter((door) => door !== './package.json')
      .map((door) => name + door.slice(1)),
  );
}

/** The program's output. It runs in the project, with Node's own resolution. */
async function node(file: string, env: NodeJS.ProcessEnv = {}, options: string[] = []): Promise<string> {
  const { PATH, HOME } = process.env;
  const { stdout } = await run(process.execPath, [...options, file], {
    cwd: project,
    env: { PATH, HOME, ...env },
    timeout: 60_000,
  });
  return stdout;
}

async function typeCheck(
  files: readonly string[],
  module: string,
  moduleResolution: string,
): Promise<string> {
  const options = { strict: true, noEmit: true, target: 'es2023', types: ['node'], skipLibCheck: false };
  const config = { compilerOptions: { ...options, module, moduleResolution }, files };
  await writeFile(join(project, 'tsconfig.json'), JSON.stringify(config));
  const tsc = join(project, 'node_modules/.bin/tsc');
  return await run(tsc, ['-p', '.'], { cwd: project, timeout: 90_000 }).then(
    () => 'no errors',
    ({ stdout }: { stdout: string }) => stdout,
  );
}

/** The README's program, and what the README says that it prints. */
async function readmeExample(directory: string): Promise<{ program: string; printed: string }> {
  const text = await readFile(join(ROOT, 'packages', directory, 'README.md'), 'utf8');
  const [, program = '', printed = ''] =
    /```js example\n([\s\S]*?)```\n\nIt prints:\n\n```text\n([\s\S]*?)```/.exec(text) ?? [];
  return { program, printed };
}

describe('the packages, packed', () => {
  it('hold code, types, sources, Lua, a README and the licence, and nothing else', async () => {
    const licence = await readFile(join(ROOT, 'LICENSE'), 'utf8');

    for (const { name, files, manifest } of packages) {
      const entries = Object.values(manifest.exports).flatMap((entry) =>
        typeof entry === 'string' ? [entry] : Object.values(entry),
      );
      expect(files, name).toEqual(expect.arrayContaining(entries.map((path) => path.replace('./', ''))));
      const lua = files.filter((path) => path.startsWith('src/lua/'));
      expect(files, name).toEqual(expect.arrayContaining(lua.map((path) => path.replace('src', 'dist'))));
      expect(
        files.filter(
          (path) => !/^(dist\/.+\.(js|js\.map|d\.ts|d\.ts\.map|lua)|src\/.+\.(ts|lua))$/.test(path),
        ),
        name,
      ).toEqual(['LICENSE', 'README.md', 'package.json']);
      expect(await readFile(join(project, 'node_modules', name, 'LICENSE'), 'utf8')).toBe(licence);
    }
  });

  it('say what they are and which versions they want', () => {
    const versions = new Set(packages.map(({ manifest }) => manifest.version));

    expect(versions.size).toBe(1);
    const [version] = versions;
    for (const { name, manifest } of packages) {
      expect(manifest, name).toMatchObject({
        description: expect.stringMatching(/^.{40,}[^.]$/),
        keywords: expect.arrayContaining([expect.any(String)]),
        license: 'MIT',
        type: 'module',
        sideEffects: false,
        engines: { node: '>=20.19' },
        publishConfig: { access: 'public' },
      });
      expect(manifest).not.toHaveProperty('private');
      const wanted = Object.entries(manifest.dependencies ?? {});
      for (const [dependency, range] of wanted) {
        if (dependency.startsWith('@sluice/')) expect(range, `${name}: ${dependency}`).toBe(version);
        else expect(range, `${name}: ${dependency}`).toMatch(/^\^?\d+\.\d+\.\d+$/);
      }
    }
  });

  it('are imported by plain JavaScript, every door', async () => {
    const lines = doors().map(
      (door) => `console.log('${door}', Object.keys(await import('${door}')).length > 0);`,
    );
    await writeFile(join(project, 'import.js'), lines.join('\n'));

    expect(await node('import.js')).toBe(
      `${doors()
        .map((door) => `${door} true\n`)
        .join('')}`,
    );
  });

  it('are required by CommonJS, every door, without a warning', async () => {
    const lines = doors().map(
      (door) => `console.log('${door}', Object.keys(require('${door}')).length > 0);`,
    );
    await writeFile(join(project, 'require.cjs'), lines.join('\n'));

    expect(await node('require.cjs', {}, ['--throw-deprecation'])).toBe(
      doors()
        .map((door) => `${door} true\n`)
        .join(''),
    );
  });

  it('tell a Node without require() of ES modules what is the matter', async () => {
    await writeFile(
      join(project, 'old.cjs'),
      "try { require('@sluice/cache'); } catch (error) { console.log(error.code); }",
    );

    expect(await node('old.cjs', {}, ['--no-experimental-require-module'])).toBe('ERR_REQUIRE_ESM\n');
  });

  it.for([
    ['nodenext', 'nodenext'],
    ['esnext', 'bundler'],
  ] as const)(
    'have types for TypeScript, all of them checked: module %s, resolution %s',
    { timeout: 90_000 },
    async ([module, resolution]) => {
      await writeFile(
        join(project, 'doors.ts'),
        `${doors()
          .map((door, index) => `import * as door${index} from '${door}';\nexport { door${index} };`)
          .join('\n')}\n`,
      );
      await cp(join(import.meta.dirname, 'typed-consumer.ts.txt'), join(project, 'typed.ts'));
      await writeFile(
        join(project, 'typed.cts'),
        "import cache = require('@sluice/cache');\nexport const name: string = new cache.FileDriver({ folder: '/tmp/x', service: 'x' }).kind;\n",
      );

      const files = module === 'nodenext' ? ['doors.ts', 'typed.ts', 'typed.cts'] : ['typed.ts'];
      expect(await typeCheck(files, module, resolution)).toBe('no errors');
    },
  );
});

describe('the README of a package', () => {
  it('has an example that prints what it says', { timeout: 90_000 }, async (t) => {
    const { prefix } = await testRedis(t);
    const examples = packages.filter(({ directory }) => directory !== 'contract');

    const results = await Promise.all(
      examples.map(async ({ directory }) => {
        const { program, printed } = await readmeExample(directory);
        const file = `readme-${directory}.js`;
        await writeFile(join(project, file), program);
        const env = { REDIS_URL, REDIS_PREFIX: `${prefix}.${directory}` };
        return { directory, output: await node(file, env), printed };
      }),
    );

    for (const { directory, output, printed } of results) {
      expect(printed, directory).not.toBe('');
      expect(output, directory).toBe(printed);
    }
  });

  it('of the client does so against the product', { timeout: 90_000 }, async (t) => {
    const redis = await OwnRedis.start(t);
    const product = await startProduct(t, redis.url);
    const { program, printed } = await readmeExample('contract');
    await writeFile(join(project, 'readme-contract.js'), program);

    const output = await node('readme-contract.js', { SLUICE_URL: product.url, SLUICE_API_KEY: KEY });

    expect(output).toBe(printed);
  });
});

describe('examples/peers', () => {
  it('shares cache, limit, session and queue between Hono, Express and a script, with the packed packages', {
    timeout: 90_000,
  }, async (t) => {
    const { prefix } = await testRedis(t);
    for (const part of ['', '-services', '-hono', '-express'])
      await cp(join(ROOT, `examples/peers${part}.ts`), join(project, `peers${part}.ts`));

    const env = { REDIS_URL, REDIS_PREFIX: prefix };
    const output = await node('peers.ts', env, ['--import', 'tsx']);

    expect(output).toBe(`401 sign in at the shop
200 welcome, ada
200 {"id":"teapot","price":12}
202, sent twice, one receipt: true
429 three orders an hour
loaded: teapot, cup
ada pays 12 for the teapot
`);
  });
});
