import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { Env, readRoles } from '@sluice/config';
import { routes } from '@sluice/contract';
import { describe, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { type Manifest, typesOf } from './manifest-types.ts';

const ROOT = resolve(import.meta.dirname, '../..');
const KUBERNETES = join(ROOT, 'deploy/kubernetes');
/** What a worker takes beside the deadline, to give back its jobs. */
const RETURN_SECONDS = 5;
const run = promisify(execFile);

async function manifests(): Promise<Manifest[]> {
  const files = (await readdir(KUBERNETES)).sort();
  const texts = await Promise.all(files.map((file) => readFile(join(KUBERNETES, file), 'utf8')));
  return texts.flatMap((text) =>
    parseAllDocuments(text).map((document) => {
      expect(document.errors).toEqual([]);
      return document.toJS() as Manifest;
    }),
  );
}

async function manifest(kind: string, name: string): Promise<Manifest> {
  const found = (await manifests()).find((each) => each.kind === kind && each.metadata.name === name);
  if (!found) throw new Error(`there is no ${kind} ${name}`);
  return found;
}

/** `spec.template.spec` and the like. */
function at(value: unknown, path: string): never {
  return path.split('.').reduce((part, name) => (part as Record<string, unknown>)[name], value) as never;
}

/** What TypeScript says of these manifests as values of Kubernetes' own types: unknown fields and wrong values. */
async function judge(all: readonly Manifest[]): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-manifests-'));
  try {
    await symlink(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
    const lines = all.map((each, index) => {
      const types = typesOf(each);
      const type = `import('kubernetes-types/${types}').${each.kind}`;
      return `export const manifest${index}: ${type} = ${JSON.stringify(each, null, 2)};`;
    });
    await writeFile(join(folder, 'manifests.ts'), lines.join('\n'));
    const options = [
      '--noEmit',
      '--strict',
      '--module',
      'esnext',
      '--moduleResolution',
      'bundler',
      '--types',
      '',
    ];
    return await run(join(ROOT, 'node_modules/.bin/tsc'), [...options, 'manifests.ts'], { cwd: folder }).then(
      () => 'no errors',
      ({ stdout }: { stdout: string }) => stdout,
    );
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

const isKeda = ({ apiVersion }: Manifest) => apiVersion.startsWith('keda.sh/');

describe('the Kubernetes manifests', () => {
  it('have the fields of Kubernetes and no others', { timeout: 60_000 }, async () => {
    const all = (await manifests()).filter((each) => !isKeda(each));

    expect(all.map(({ kind, metadata }) => `${kind} ${metadata.name}`)).toEqual([
      'Deployment sluice-api',
      'PodDisruptionBudget sluice-api',
      'Service sluice-api',
      'ConfigMap sluice',
      'Secret sluice',
      'Secret sluice-keda',
      'NetworkPolicy sluice-api',
      'NetworkPolicy sluice-worker',
      'Deployment sluice-worker',
      'PodDisruptionBudget sluice-worker',
    ]);
    expect(await judge(all)).toBe('no errors');
    // It would say so.
    expect(await judge([{ ...(all[0] as Manifest), spec: { replica: 2 } } as Manifest])).toContain(
      '"replica"',
    );
  });

  it.for(['api', 'worker'])('give the %s what it needs: probes, time to stop, no rights', async (app) => {
    const deployment = await manifest('Deployment', `sluice-${app}`);
    const settings = await manifest('ConfigMap', 'sluice');
    const pod = at(deployment, 'spec.template') as Manifest;
    const [container] = at(pod, 'spec.containers') as [Record<string, unknown>];
    const labels = at(pod, 'metadata.labels');

    expect(at(deployment, 'spec.selector.matchLabels')).toEqual(labels);
    expect(at(await manifest('PodDisruptionBudget', `sluice-${app}`), 'spec.selector.matchLabels')).toEqual(
      labels,
    );
    expect(at(await manifest('NetworkPolicy', `sluice-${app}`), 'spec.podSelector.matchLabels')).toEqual(
      labels,
    );
    expect(at(container, 'livenessProbe.httpGet')).toEqual({ path: '/livez', port: 'http' });
    expect(at(container, 'readinessProbe.httpGet')).toEqual({ path: '/readyz', port: 'http' });
    expect(container).toMatchObject({
      command: [app],
      securityContext: {
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
        capabilities: { drop: ['ALL'] },
      },
    });
    expect(at(pod, 'spec')).toMatchObject({
      automountServiceAccountToken: false,
      securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } },
    });
    const deadline = Number(at(settings, 'data.SHUTDOWN_DEADLINE_SECONDS'));
    const linger = Number(at(settings, 'data.SHUTDOWN_LINGER_SECONDS'));
    const beside =
      app === 'api' ? linger + Number(at(container, 'lifecycle.preStop.exec.command.1')) : RETURN_SECONDS;
    expect(at(pod, 'spec.terminationGracePeriodSeconds')).toBeGreaterThan(deadline + beside);
  });

  it('send traffic to the API', async () => {
    const labels = at(await manifest('Deployment', 'sluice-api'), 'spec.template.metadata.labels');

    expect(at(await manifest('Service', 'sluice-api'), 'spec')).toEqual({
      selector: labels,
      ports: [{ name: 'http', port: 8080, targetPort: 'http' }],
    });
  });

  it('configure five roles on two Redis, each with its password', async () => {
    const variables = {
      ...(at(await manifest('ConfigMap', 'sluice'), 'data') as Record<string, string>),
      ...(at(await manifest('Secret', 'sluice'), 'stringData') as Record<string, string>),
    };
    const env = new Env(variables);
    const { redis } = readRoles(env);
    env.finish();

    const hosts = Object.entries(redis).map(([role, config]) => [role, 'host' in config && config.host]);
    expect(Object.fromEntries(hosts)).toEqual({
      cache: 'redis-cache',
      queue: 'redis-queue',
      session: 'redis-queue',
      limit: 'redis-queue',
      channel: 'redis-queue',
    });
    for (const config of Object.values(redis)) expect(config.password?.reveal()).toBe('replace-me');
  });

  it('scale workers by a route that is there', async () => {
    const scaled = await manifest('ScaledObject', 'sluice-worker');
    const [trigger] = at(scaled, 'spec.triggers') as [{ metadata: { url: string; valueLocation: string } }];
    const url = new URL(trigger.metadata.url);

    expect(at(scaled, 'spec.scaleTargetRef.name')).toBe('sluice-worker');
    expect(url.host).toBe('sluice-api:8080');
    expect(url.pathname).toBe(routes.getScaling.path);
    const query = routes.getScaling.query.safeParse(Object.fromEntries(url.searchParams));
    expect(query.error).toBeUndefined();
    expect(Object.keys(routes.getScaling.replies[200].schema.shape)).toContain(
      trigger.metadata.valueLocation,
    );
  });
});
