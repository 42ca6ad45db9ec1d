/** This file owns what tests of deliveries share: real Redis, a real worker of the queues in question, real receivers. */
import { randomBytes } from 'node:crypto';
import type { IncomingHttpHeaders, ServerResponse } from 'node:http';
import { text } from 'node:stream/consumers';
import {
  DELIVERY_QUEUE,
  Deliveries,
  type DeliveryJob,
  Endpoints,
  type NewDelivery,
  Targets,
} from '@sluice/delivery';
import { Catalog, Jobs, type JobView } from '@sluice/jobs';
import { JobWorker, type JobWorkerOptions } from '@sluice/jobs/worker';
import { type TestContext, type TestRedis, testRedis } from '@sluice/redis/testing';
import { createLog } from '@sluice/runtime';
import { Webhook } from 'standardwebhooks';
import { vi } from 'vitest';
import { Dispatch } from '../../src/deliveries/dispatch.ts';
import { type Network, parseNetwork } from '../../src/egress/address.ts';
import { EgressGuard } from '../../src/egress/guard.ts';
import { httpServer } from '../egress/servers.ts';

export interface Received {
  method: string;
  path: string;
  headers: IncomingHttpHeaders;
  body: string;
  /** By `performance.now()`. */
  at: number;
}

export interface Receiver {
  url: string;
  port: number;
  received: Received[];
  connections: () => number;
  /** The first `count` requests, once they are there. */
  first(count: number, timeoutMs?: number): Promise<Received[]>;
}

/** `answer` is told how many requests came before. Default 200. */
export async function receiver(
  t: TestContext,
  answer: (response: ServerResponse, before: number, request: Received) => void = (response) =>
    void response.end(),
): Promise<Receiver> {
  const received: Received[] = [];
  const { port, connections } = await httpServer(t, (request, response) => {
    const at = performance.now();
    void text(request).then((body) => {
      const { method = '', url: path = '', headers } = request;
      const one = { method, path, headers, body, at };
      received.push(one);
      answer(response, received.length - 1, one);
    });
  });
  return {
    url: `http://127.0.0.1:${port}/hook`,
    port,
    received,
    connections,
    first: (count, timeoutMs = 10_000) =>
      vi.waitFor(
        () => {
          if (received.length < count) throw new Error(`${received.length} of ${count} requests came`);
          return received.slice(0, count);
        },
        { timeout: timeoutMs, interval: 5 },
      ),
  };
}

export interface SetupOptions {
  /** Each gets a worker. */
  queues?: string[];
  /** Default 1. */
  deliveryWorkers?: 0 | 1;
  /** The workers' master secret, when it is another than the API's. */
  workerMaster?: Buffer;
  /** Default a prefix of the test's own on the run's Redis. */
  redis?: Pick<TestRedis, 'config' | 'client' | 'keys' | 'connect'>;
}

export async function setup(t: TestContext, options: SetupOptions = {}) {
  const { queues = [], deliveryWorkers = 1 } = options;
  const redis = options.redis ?? (await testRedis(t));
  const { client, keys } = redis;
  const lines: string[] = [];
  const log = createLog({
    name: 'test',
    level: 'debug',
    destination: { write: (line) => void lines.push(line) },
  });
  const master = randomBytes(32);
  const jobs = new Jobs({ client, subscriber: redis.connect('subscriber'), keys });
  const endpoints = new Endpoints({ client, keys, master });
  const deliveries = new Deliveries({ endpoints, master });
  const targets = new Targets({ client, keys, endpoints });
  const networks = [parseNetwork('127.0.0.1') as Network];
  const egress = new EgressGuard({ allowance: { networks, hosts: [], ports: [] } });
  const dispatch = new Dispatch({
    redis: redis.config,
    keys,
    probe: client,
    master: options.workerMaster ?? master,
    egress,
    log,
  });
  const catalog = new Catalog([{ job: dispatch.job, origin: 'test' }]);
  const workers: JobWorker[] = [];
  const work = (queue: string, options: Partial<JobWorkerOptions> = {}) => {
    const worker = new JobWorker({
      queue,
      redis: redis.config,
      keys,
      catalog,
      entryFor: (name) => dispatch.entryFor(catalog, queue, name),
      probe: client,
      log,
      concurrency: 200,
      middleware: [dispatch.middleware],
      ...options,
    });
    workers.push(worker);
    return worker;
  };
  for (const queue of [...(deliveryWorkers ? [DELIVERY_QUEUE] : []), ...queues]) work(queue);
  t.onTestFinished(async () => {
    await Promise.all(workers.map((worker) => worker.stop(0)));
    await jobs.close();
    await Promise.all([dispatch.stop(), egress.close()]);
  });

  const job = async (delivery: NewDelivery): Promise<DeliveryJob> => {
    const [made] = await deliveries.jobs([delivery]);
    if (!made || made instanceof Error) throw made ?? new Error('nothing was made');
    return made;
  };
  return {
    redis,
    master,
    jobs,
    endpoints,
    deliveries,
    targets,
    dispatch,
    workers,
    work,
    logged: () => lines.join(''),
    job,
    /** Enqueues it as the API does; answers its id. */
    send: async (delivery: NewDelivery) => (await jobs.enqueue(DELIVERY_QUEUE, await job(delivery))).id,
    /** The job once it has ended. */
    ended: (id: string, { queue = DELIVERY_QUEUE, timeoutMs = 10_000 } = {}): Promise<JobView> =>
      vi.waitFor(
        async () => {
          const view = await jobs.get(queue, id);
          if (view.finishedAt === null) throw new Error(`job ${id} is ${view.state}`);
          return view;
        },
        { timeout: timeoutMs, interval: 10 },
      ),
    /** What each attempt left in the job's log. */
    attempts: async (id: string, queue: string = DELIVERY_QUEUE): Promise<Record<string, unknown>[]> =>
      (await jobs.logs(queue, id)).lines.map((line) => JSON.parse(line) as Record<string, unknown>),
  };
}

/** Throws when the package of Standard Webhooks does not accept the request. */
export function verify(secret: string, { headers, body }: Pick<Received, 'headers' | 'body'>): void {
  const one = (name: string) => String(headers[name]);
  new Webhook(secret).verify(
    body,
    {
      'webhook-id': one('webhook-id'),
      'webhook-timestamp': one('webhook-timestamp'),
      'webhook-signature': one('webhook-signature'),
    },
    { jsonParse: false },
  );
}
