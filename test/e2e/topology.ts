/**
 * This file owns what the tests of Sentinel and Cluster share: the settings of the published environment that lead there,
 * light traffic whose answers are kept, and short ways to the board and to `sluice doctor`.
 */
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import {
  ADMIN_PASSWORD,
  PRODUCT_ENTRY,
  PRODUCT_PASSWORD,
  PRODUCT_USER,
  type TestCluster,
  type TestSentinel,
} from '@sluice/redis/testing';
import { ROOT } from './document.ts';
import { type Cleaner, KEY, type Product } from './product.ts';

/** Every role is in Redis; jobs may reach this machine. */
const IN_REDIS = {
  CACHE_DRIVER: 'redis',
  SESSION_DRIVER: 'redis',
  QUEUE_DRIVER: 'redis',
  EGRESS_ALLOW: '127.0.0.1',
  ...PRODUCT_ENTRY,
};

/** The first Sentinel at the port that is for all of them, the others with ports of their own. */
export function sentinelVariables({ config }: TestSentinel): Record<string, string> {
  const [first, ...others] = config.sentinels;
  const hosts = [first?.host, ...others.map(({ host, port }) => `${host}:${port}`)];
  return {
    ...IN_REDIS,
    REDIS_SENTINEL_HOST: hosts.join(),
    REDIS_SENTINEL_PORT: String(first?.port),
    REDIS_SENTINEL_MASTER: config.master,
    REDIS_SENTINEL_USERNAME: PRODUCT_USER,
    REDIS_SENTINEL_PASSWORD: PRODUCT_PASSWORD,
  };
}

/** Two of the nodes: the others are found. */
export function clusterVariables({ config }: TestCluster): Record<string, string> {
  const nodes = config.nodes.slice(0, 2).map(({ host, port }) => `${host}:${port}`);
  return { ...IN_REDIS, REDIS_CLUSTER_NODES: nodes.join() };
}

export async function answerOf<T>(answer: Promise<Response>): Promise<T> {
  return (await (await answer).json()) as T;
}

export interface Answered {
  queue: string;
  status: number;
  ms: number;
  /** Of `performance.now()`. */
  at: number;
  /** Of the job, when it was acknowledged. */
  id?: string | undefined;
}

/** One job to each queue in turn, each under a key of its own, until `stop`. */
export class Traffic {
  readonly answers: Answered[] = [];
  readonly #calls = new Set<Promise<void>>();
  readonly #timer: NodeJS.Timeout;

  constructor(product: Product, queues: readonly string[], everyMs = 25) {
    let sent = 0;
    this.#timer = setInterval(() => {
      const call = this.#send(product, queues[sent % queues.length] as string, sent++);
      this.#calls.add(call);
      void call.finally(() => this.#calls.delete(call));
    }, everyMs);
  }

  get acknowledged(): Answered[] {
    return this.answers.filter(({ id }) => id !== undefined);
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await Promise.all(this.#calls);
  }

  async #send(product: Product, queue: string, number: number): Promise<void> {
    const startedAt = performance.now();
    const answer = await product.call(`/queues/${queue}/jobs`, {
      method: 'POST',
      headers: { 'Idempotency-Key': `traffic-${number}` },
      json: { name: 'example.echo', data: { number } },
    });
    const { id } = (await answer.json()) as { id?: string };
    const at = performance.now();
    this.answers.push({ queue, status: answer.status, ms: at - startedAt, at, id });
  }
}

/** Of these jobs, those that are not completed. */
export async function uncompleted(product: Product, jobs: readonly Answered[]): Promise<string[]> {
  const left: string[] = [];
  for (const { queue, id } of jobs) {
    const { state } = await answerOf<{ state?: string }>(product.call(`/queues/${queue}/jobs/${id}`));
    if (state !== 'completed') left.push(`${queue} ${id}: ${state}`);
  }
  return left;
}

/** As the board's own page asks. */
export async function board(
  { url }: Product,
  path: string,
  method = 'GET',
): Promise<{ status: number; body: unknown }> {
  const answer = await fetch(`${url}/admin/queues${path}`, {
    method,
    headers: { 'X-DreamFactory-API-Key': KEY, 'Sec-Fetch-Site': 'same-origin' },
  });
  const text = await answer.text();
  const isJson = answer.headers.get('content-type')?.includes('json') && text !== '';
  return { status: answer.status, body: isJson ? JSON.parse(text) : text };
}

/** Of who examines Redis, and may more than what he examines it for. */
const EXAMINER = {
  REDIS_USERNAME: 'default',
  REDIS_PASSWORD: ADMIN_PASSWORD,
  REDIS_SENTINEL_USERNAME: 'default',
  REDIS_SENTINEL_PASSWORD: ADMIN_PASSWORD,
};

interface DoctorReport {
  status: number;
  findings: { id: string; role: string; severity: string; evidence: string }[];
}

export async function doctor(
  variables: Readonly<Record<string, string>>,
  { directory }: Product,
): Promise<DoctorReport> {
  const main = join(ROOT, 'apps/cli/dist/main.js');
  const env = {
    PATH: process.env.PATH,
    HOME: directory,
    SLUICE_DATA_DIR: directory,
    ...variables,
    ...EXAMINER,
  };
  const run = promisify(execFile)(process.execPath, [main, 'doctor', '--json'], { env, cwd: directory });
  const { stdout } = await run.catch((error: { stdout: string }) => error);
  return JSON.parse(stdout) as DoctorReport;
}

/** Takes whatever is sent; tells the headers that came. */
export async function receiver(t: Cleaner): Promise<{ url: string; signatures: string[] }> {
  const signatures: string[] = [];
  const server = createServer((request, response) => {
    signatures.push(String(request.headers['webhook-signature']));
    request.resume().once('end', () => response.end('{"taken": true}'));
  });
  t.onTestFinished(() => void server.close());
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`, signatures };
}
