/** This file owns who may import whom. */
import { builtinModules } from 'node:module';
import type { Tree } from './source-tree.ts';

/** One domain each, the same anatomy, no way from one to another: they meet in the apps. */
export const DOMAINS = ['access', 'cache', 'channel', 'delivery', 'jobs', 'rate-limit', 'session', 'system'];
const BASE = ['@sluice/redis', '@sluice/config', '@sluice/runtime', 'zod'];

/** The vendor that a domain is made of: an engine, or knowledge we lack. */
const VENDORS: Readonly<Record<string, readonly string[]>> = {
  jobs: ['bullmq'],
  'rate-limit': ['ipaddr.js'],
};

/** What product code of a workspace may import beside Node's own modules. All else is forbidden. */
export const ARROWS: Readonly<Record<string, readonly string[]>> = {
  'packages/config': ['zod'],
  'packages/runtime': ['zod', 'pino', 'prom-client'],
  'packages/redis': ['@sluice/config', '@sluice/runtime', 'ioredis', 'js-redis-server'],
  ...Object.fromEntries(
    DOMAINS.map((domain) => [`packages/${domain}`, [...BASE, ...(VENDORS[domain] ?? [])]]),
  ),
  'packages/tracing': [
    '@opentelemetry/api',
    '@opentelemetry/exporter-trace-otlp-http',
    '@opentelemetry/resources',
    '@opentelemetry/sdk-trace-node',
  ],
  'packages/contract': ['zod', '@hono/zod-openapi', ...DOMAINS.map((domain) => `@sluice/${domain}/schemas`)],
  'apps/api': [
    ...BASE,
    '@sluice/contract',
    '@sluice/tracing',
    ...DOMAINS.map((domain) => `@sluice/${domain}`),
    'hono',
    '@hono/node-server',
    '@hono/zod-openapi',
    '@hono/swagger-ui',
    'swagger-ui-dist',
    '@bull-board/api',
    '@bull-board/hono',
    '@bull-board/ui',
    'bullmq',
    'ipaddr.js',
  ],
  'apps/worker': [
    ...BASE,
    '@sluice/jobs',
    '@sluice/cache',
    '@sluice/delivery',
    '@sluice/rate-limit',
    '@sluice/system',
    '@sluice/tracing',
    'undici',
    'ipaddr.js',
    'standardwebhooks',
  ],
  'apps/cli': [
    ...BASE,
    '@sluice/contract',
    ...DOMAINS.map((domain) => `@sluice/${domain}`),
    'commander',
    '@clack/prompts',
  ],
};

/** Vendors that are met in few places, so that they can be replaced there. */
const BRIDGES: readonly { vendor: string; places: RegExp }[] = [
  { vendor: 'ioredis', places: /^packages\/redis\/src\// },
  { vendor: 'bullmq', places: /^packages\/jobs\/src\/|^apps\/api\/src\/(board|dashboard)/ },
  { vendor: '@opentelemetry/', places: /^packages\/tracing\/src\// },
  { vendor: 'pino', places: /^packages\/runtime\/src\/log\.ts$/ },
  { vendor: 'prom-client', places: /^packages\/runtime\/src\/metrics\.ts$/ },
  { vendor: '@bull-board/', places: /^apps\/api\/src\/(board|dashboard)/ },
];

export function forbiddenArrows({ sources }: Tree): string[] {
  return sources
    .filter(({ isProduct }) => isProduct)
    .flatMap((source) => {
      const allowed = ARROWS[source.workspace];
      if (!allowed)
        return [`${source.path}: ${source.workspace} has no arrows in test/architecture/arrows.ts`];
      return source.imports
        .filter(
          (name) => !isOwn(name) && !allowed.some((each) => name === each || name.startsWith(`${each}/`)),
        )
        .map((name) => `${source.path} imports ${name}`);
    });
}

/** `schemas.ts` is a domain's door for browsers and other packages: vocabulary alone. */
export function schemasThatKnowMore({ sources }: Tree): string[] {
  return sources
    .filter(({ path }) => DOMAINS.some((domain) => path === `packages/${domain}/src/schemas.ts`))
    .flatMap(({ path, imports }) =>
      imports.filter((name) => name !== 'zod').map((name) => `${path} imports ${name}`),
    );
}

export function vendorsBesideTheirBridge({ sources }: Tree): string[] {
  return BRIDGES.flatMap(({ vendor, places }) =>
    sources
      .filter(
        ({ isProduct, path, imports }) =>
          isProduct && imports.some((name) => isOf(name, vendor)) && !places.test(path),
      )
      .map(({ path }) => `${path} imports ${vendor}`),
  );
}

/** Paths from one workspace into another go by name, so that a manifest tells what is used. */
export function importsAcrossFolders({ sources }: Tree): string[] {
  return sources.flatMap(({ path, workspace, imports }) =>
    imports
      .filter((name) => name.startsWith('.'))
      .map((name) => ({ name, target: new URL(name, `file:///${path}`).pathname.slice(1) }))
      .filter(
        ({ target }) =>
          workspace !== '' && !target.startsWith(`${workspace}/`) && !target.startsWith('test/'),
      )
      .map(({ name }) => `${path} imports ${name}`),
  );
}

/** An imitation of Redis for a first look: absent where only what production needs is installed, and told so then. */
const ABSENT_IN_PRODUCTION: ReadonlySet<string> = new Set(['js-redis-server']);

/** What is imported is declared by whoever imports it; tests may lean on the root's development tools. */
export function undeclaredImports({ sources, manifests }: Tree): string[] {
  const tools = manifests.get('')?.devDependencies ?? {};
  return sources.flatMap((source) => {
    const manifest = manifests.get(source.workspace);
    if (!manifest) return [`${source.path}: ${source.workspace} has no package.json`];
    const { name: self, dependencies, optionalDependencies, devDependencies } = manifest;
    const declared = {
      [self]: '',
      ...dependencies,
      ...optionalDependencies,
      ...(source.isProduct ? {} : { ...devDependencies, ...tools }),
    };
    return source.imports
      .filter((name) => !isOwn(name) && !name.includes('${'))
      .map(packageOf)
      .filter(
        (name) =>
          !Object.hasOwn(declared, name) &&
          !(ABSENT_IN_PRODUCTION.has(name) && Object.hasOwn(devDependencies, name)) &&
          !(source.workspace === '' && name.startsWith('@sluice/')),
      )
      .map(
        (name) => `${source.path} imports ${name}, which ${source.workspace || 'the root'} does not declare`,
      );
  });
}

function isOf(name: string, vendor: string): boolean {
  return vendor.endsWith('/') ? name.startsWith(vendor) : packageOf(name) === vendor;
}

function isOwn(name: string): boolean {
  return name.startsWith('.') || isBuiltin(name);
}

function isBuiltin(name: string): boolean {
  return name.startsWith('node:') || builtinModules.includes(name);
}

function packageOf(name: string): string {
  return name.split('/', name.startsWith('@') ? 2 : 1).join('/');
}
