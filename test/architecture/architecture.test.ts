/** This file owns the house's law: each rule holds for the repository, and each is shown an offence that it must see. */
import { describe, expect, test } from 'vitest';
import {
  ARROWS,
  forbiddenArrows,
  importsAcrossFolders,
  schemasThatKnowMore,
  undeclaredImports,
  vendorsBesideTheirBridge,
} from './arrows.ts';
import { foreignHosts, missingOptional } from './lock.ts';
import { domainsOutOfShape, filesOutOfShape, keysMadeInLua, neversDone } from './nevers.ts';
import { readText, readTree, sourceOf, type Tree } from './source-tree.ts';

const tree = readTree();

/** A repository of the files given, with the manifests of this one. */
const planted = (...files: [path: string, text: string][]): Tree => ({
  sources: files.map(([path, text]) => sourceOf(path, text)),
  manifests: tree.manifests,
});

interface Rule {
  name: string;
  offences: (tree: Tree) => string[];
  /** Each is one offence. */
  seen: [path: string, text: string][];
  /** None is one. */
  passed?: [path: string, text: string][];
}

const OWNS = '/** This file owns a thing. */\n';

const RULES: Rule[] = [
  {
    name: 'imports follow the arrows',
    offences: forbiddenArrows,
    seen: [
      ['packages/cache/src/a.ts', "import { Limiter } from '@sluice/rate-limit';"],
      ['packages/jobs/src/a.ts', "import type {\n  Cache,\n} from '@sluice/cache/schemas';"],
      ['packages/redis/src/a.ts', "import { main } from '@sluice/api';"],
      ['packages/config/src/a.ts', "import { connect } from '@sluice/redis';"],
      ['packages/contract/src/a.ts', "import { Cache } from '@sluice/cache';"],
      ['packages/contract/src/a.ts', "import { Hono } from 'hono';"],
      ['apps/worker/src/a.ts', "const { client } = await import('@sluice/contract');"],
      ['apps/worker/src/a.ts', "import { Hono } from 'hono';"],
      ['packages/runtime/src/a.ts', "export { Redis } from 'ioredis';"],
      ['packages/session/src/a.ts', "import 'express';"],
      ['packages/new/src/a.ts', "import { z } from 'zod';"],
    ],
    passed: [
      [
        'packages/cache/src/a.ts',
        "import { readFileSync } from 'node:fs';\nimport { z } from 'zod';\nimport { close } from '@sluice/redis';",
      ],
      ['packages/contract/src/a.ts', "import { code } from '@sluice/cache/schemas';"],
      ['packages/cache/test/a.test.ts', "import { Limiter } from '@sluice/rate-limit';"],
      ['packages/cache/src/a.ts', "// import { Limiter } from '@sluice/rate-limit';"],
    ],
  },
  {
    name: 'a domain’s vocabulary knows zod alone',
    offences: schemasThatKnowMore,
    seen: [
      ['packages/jobs/src/schemas.ts', "import { readFileSync } from 'node:fs';"],
      ['packages/cache/src/schemas.ts', "import { checkKey } from './rules.ts';"],
    ],
    passed: [['packages/cache/src/schemas.ts', "import { z } from 'zod';"]],
  },
  {
    name: 'vendors stay in their bridges',
    offences: vendorsBesideTheirBridge,
    seen: [
      ['packages/cache/src/a.ts', "import type { Redis } from 'ioredis';"],
      ['apps/api/src/routes/jobs.ts', "import { Queue } from 'bullmq';"],
      ['packages/redis/src/a.ts', "import { pino } from 'pino';"],
      ['packages/runtime/src/lifecycle.ts', "import { Counter } from 'prom-client';"],
      ['apps/api/src/app.ts', "import { createBullBoard } from '@bull-board/api';"],
    ],
    passed: [['apps/api/src/board/queues.ts', "import { Queue } from 'bullmq';"]],
  },
  {
    name: 'workspaces meet by name',
    offences: importsAcrossFolders,
    seen: [['packages/cache/src/a.ts', "import { connect } from '../../redis/src/connect.ts';"]],
    passed: [['packages/cache/src/lua/a.ts', "import { b } from '../b.ts';"]],
  },
  {
    name: 'what is imported is declared',
    offences: undeclaredImports,
    seen: [
      ['packages/config/src/a.ts', "import { pino } from 'pino';"],
      ['packages/config/src/a.ts', "import fc from 'fast-check';"],
      ['packages/config/test/a.test.ts', "import { Hono } from 'hono';"],
    ],
    passed: [
      ['packages/config/test/a.test.ts', "import fc from 'fast-check';\nimport { z } from 'zod';"],
      ['packages/config/src/a.ts', "import { join } from 'path';\nimport { b } from './b.ts';"],
    ],
  },
  {
    name: 'no never is done',
    offences: neversDone,
    seen: [
      ['packages/redis/src/a.ts', 'const url = process.env.REDIS_URL;'],
      ['apps/api/src/main.ts', "const port = process.env['PORT'];"],
      ['apps/api/src/main.ts', 'const { PORT } = process.env;'],
      ['apps/api/src/compose.ts', 'readConfig(process.env);'],
      ['packages/jobs/src/a.ts', 'const client = new Redis({ port });'],
      ['packages/jobs/src/a.ts', 'process.exit(1);'],
      ['packages/cache/src/a.ts', 'await client.flushdb();'],
      ['packages/cache/src/a.ts', "await client.call('FLUSHALL');"],
      ['packages/cache/src/lua/a.lua', "redis.call('FLUSHDB')"],
      ['packages/cache/src/a.ts', "const all = await client.keys('*');"],
      ['packages/cache/src/lua/a.lua', "local all = redis.call('KEYS', '*')"],
      ['packages/cache/src/cache.ts', "const key = keyspace.root('cache');"],
      ['packages/cache/src/a.ts', "if (error.message === 'gone') return;"],
      ['packages/cache/src/a.ts', "if (error.message.includes('WRONGTYPE')) return;"],
      ['packages/cache/src/a.ts', 'if (/WRONGTYPE/.test(error.message)) return;'],
      ['packages/cache/src/a.ts', 'export const client = connect({ config });'],
      ['packages/cache/src/index.ts', "export * from './cache.ts';"],
      ['packages/cache/test/a.test.ts', "test.only('x', () => {});"],
      ['packages/cache/test/a.test.ts', 'const x = y as any;'],
      ['packages/cache/test/a.test.ts', '// @ts-expect-error'],
      ['packages/cache/src/a.ts', '// biome-ignore lint: no'],
    ],
    passed: [
      ['apps/api/src/config.ts', 'const variables = process.env;'],
      ['apps/api/src/main.ts', 'const config = readConfig(process.env);'],
      ['packages/redis/src/connect.ts', 'return new Redis(options);'],
      [
        'packages/cache/src/a.ts',
        '/** FLUSHDB and KEYS do not appear. */\nfor (const key of map.keys()) visit(key);',
      ],
      ['packages/cache/src/keys.ts', "const root = keyspace.root('cache');"],
      ['packages/cache/src/a.ts', 'const open = () => {\n  const client = connect({ config });\n};'],
      ['packages/cache/src/a.ts', 'return `flushall is renamed`;'],
      ['packages/cache/src/a.ts', 'log.warn({ reason: error.message });'],
    ],
  },
  {
    name: 'Lua makes no key',
    offences: keysMadeInLua,
    seen: [
      ['packages/cache/src/lua/a.lua', "local v = redis.call('GET', KEYS[1] .. ':meta')"],
      ['packages/cache/src/lua/a.lua', "local entry = KEYS[1]\nredis.call('DEL', entry .. ARGV[1])"],
      ['packages/cache/src/lua/a.lua', "local cost, entry = ARGV[1], KEYS[1]\nlocal key = 'x:' .. entry"],
      ['packages/cache/src/lua/a.lua', "redis.call('GET', 'cache:' .. ARGV[1])"],
      ['packages/cache/src/lua/a.lua', "redis.call('SET', 'flag', 1)"],
      ['packages/cache/src/lua/a.lua', "redis.call('HSET', prefix .. id, 'f', 1)"],
      ['packages/jobs/src/lua/a.lua', "local wait = KEYS[1]\nredis.call('LPUSH', wait .. ':x', 1)"],
      ['packages/jobs/src/lua/a.lua', "redis.call('HSET', 'bull:' .. id, 'f', 1)"],
      ['packages/jobs/src/lua/a.lua', "-- KEYS[1] wait x\nredis.call('HSET', KEYS[1] .. id, 'f', 1)"],
      ['packages/cache/src/lua/a.lua', "-- KEYS[1] base x\nredis.call('HSET', KEYS[1] .. id, 'f', 1)"],
    ],
    passed: [
      [
        'packages/cache/src/lua/a.lua',
        "local entry = KEYS[1]\nredis.call('HSET', entry, '@used:' .. ARGV[1], 1)",
      ],
      [
        'packages/cache/src/lua/a.lua',
        "for i = 2, #KEYS do redis.call('DEL', KEYS[i]) end\nredis.call('TIME')",
      ],
      ['packages/cache/src/lua/a.lua', "-- 'key:' .. KEYS[1] would be wrong"],
      [
        'packages/jobs/src/lua/a.lua',
        "-- Reads a job.\n-- KEYS[1] base x\nlocal base = KEYS[1]\nlocal job = base .. ARGV[1]\nreturn redis.call('GET', KEYS[1] .. job)",
      ],
    ],
  },
  {
    name: 'files keep their shape',
    offences: filesOutOfShape,
    seen: [
      ['packages/cache/src/a.ts', 'export const a = 1;\n'],
      ['packages/cache/src/a.ts', `${OWNS}${'const a = 1;\n'.repeat(350)}`],
      ['packages/cache/src/lua/a.lua', "redis.call('TIME')"],
      ['packages/cache/src/index.ts', "export { a } from './a.ts';\n".repeat(21)],
      ['packages/cache/src/index.ts', "export { a } from './a.ts';\nconst b = 1;\n"],
      ['packages/cache/src/keyRing.ts', OWNS],
      ['packages/cache/src/cache-utils.ts', OWNS],
      ['packages/cache/src/a.ts', `${OWNS}export class CacheManager {}\n`],
    ],
    passed: [
      ['packages/cache/src/a.ts', `${OWNS}export class Cache {}\n`],
      ['packages/cache/src/a.ts', '/**\n * This file owns two lines\n * of words.\n */\n'],
      ['packages/cache/src/index.ts', "export {\n  a,\n  type B,\n} from './a.ts';\n"],
      ['packages/cache/src/lua/a.lua', "-- Tells the time.\nreturn redis.call('TIME')"],
      ['apps/cli/src/main.ts', `#!/usr/bin/env node\n${OWNS}`],
    ],
  },
];

for (const { name, offences, seen, passed = [] } of RULES) {
  describe(name, () => {
    test('in this repository', () => {
      expect(offences(tree)).toEqual([]);
    });

    test('and an offence is seen', () => {
      for (const file of seen) expect.soft(offences(planted(file)), file.join('\n')).toHaveLength(1);
      for (const file of passed) expect.soft(offences(planted(file)), file.join('\n')).toEqual([]);
    });
  });
}

test('domains have one anatomy', () => {
  expect(domainsOutOfShape(tree)).toEqual([]);
  expect(
    domainsOutOfShape({
      ...tree,
      sources: tree.sources.filter(({ path }) => path !== 'packages/cache/src/keys.ts'),
    }),
  ).toEqual(['packages/cache/src/keys.ts is missing']);
});

test('every workspace has its arrows', () => {
  const workspaces = [...tree.manifests.keys()].filter((workspace) => /^(packages|apps)\//.test(workspace));

  expect(workspaces.sort()).toEqual(Object.keys(ARROWS).sort());
});

describe('the lock file', () => {
  const lock = JSON.parse(readText('package-lock.json'));

  test('holds the packages of every platform', () => {
    expect(missingOptional(lock)).toEqual([]);
    expect(
      missingOptional({
        packages: {
          'node_modules/a': { optionalDependencies: { there: '1', beside: '1', missing: '1' } },
          'node_modules/there': {},
          'node_modules/a/node_modules/beside': {},
        },
      }),
    ).toEqual(['node_modules/a wants missing']);
  });

  test('names no other registry than npm’s own', () => {
    expect(foreignHosts(lock)).toEqual([]);
    expect(foreignHosts({ packages: { a: { resolved: 'https://mirror.example/a.tgz' } } })).toEqual([
      'mirror.example',
    ]);
  });
});

test('no path leads outside the repository', () => {
  const strangers = tree.sources.filter(
    ({ text, path }) => /(['"`\s(])\/(work|root|home)\//.test(text) && !path.startsWith('test/architecture/'),
  );

  expect(strangers.map(({ path }) => path)).toEqual([]);
});
