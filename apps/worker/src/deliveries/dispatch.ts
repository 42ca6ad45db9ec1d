/** This file owns what a worker sends instead of running it: deliveries, and every job of a queue with a target. */
import type { Keyspace, RedisConfig } from '@sluice/config';
import { DELIVERY_JOB, Deliveries, Endpoints, Hosts, Targets } from '@sluice/delivery';
import {
  type AttemptMiddleware,
  type Catalog,
  type CatalogEntry,
  type JobDefinition,
  Jobs,
} from '@sluice/jobs';
import { close, connect, type RedisClient } from '@sluice/redis';
import type { Log, Service } from '@sluice/runtime';
import type { EgressGuard } from '../egress/guard.ts';
import { callbacks } from './callbacks.ts';
import { Courier } from './courier.ts';
import { deliveryJob } from './delivery-job.ts';
import { targetJob } from './target-job.ts';

export interface DispatchOptions {
  redis: RedisConfig;
  keys: Keyspace;
  /** Profile `request`: asked which queues have a target. */
  probe: RedisClient;
  /** The installation's master secret: opens the endpoints' own. */
  master: Buffer;
  egress: EgressGuard;
  log: Log;
}

export class Dispatch implements Service {
  readonly name = 'deliveries';
  /** The job `delivery`. */
  readonly job: JobDefinition;
  readonly middleware: AttemptMiddleware;
  readonly #clients: readonly RedisClient[];
  readonly #jobs: Jobs;
  readonly #targets: Targets;
  readonly #listed: Targets;
  readonly #courier: Courier;
  /** As of the last look. */
  #queues: Set<string> = new Set();

  constructor({ redis, keys, probe, master, egress, log }: DispatchOptions) {
    // Waits for Redis rather than fail: an attempt must not be spent, nor a callback lost, for an outage of our own.
    const client = connect({ config: redis, profile: 'worker', name: 'worker:deliveries', log });
    const subscriber = connect({ config: redis, profile: 'subscriber', name: 'worker:deliveries', log });
    this.#clients = [client, subscriber];
    this.#jobs = new Jobs({ client, subscriber, keys });
    const endpoints = new Endpoints({ client, keys, master });
    const deliveries = new Deliveries({ endpoints, master });
    this.#targets = new Targets({ client, keys, endpoints });
    this.#listed = new Targets({ client: probe, keys, endpoints });
    this.#courier = new Courier({ egress, endpoints, hosts: new Hosts({ client, keys }) });
    this.job = deliveryJob({ courier: this.#courier, deliveries, endpoints });
    this.middleware = callbacks({
      deliveries,
      targets: this.#targets,
      hasTarget: (queue) => this.#queues.has(queue),
      jobs: this.#jobs,
      log,
    });
  }

  /** Looks which queues have a target. */
  async refresh(): Promise<void> {
    this.#queues = new Set(await this.#listed.queues());
  }

  /**
   * What a job of this name is in this queue. A target comes before everything but deliveries; a name that nobody knows
   * may belong to a target that is newer than the last look.
   */
  entryFor(catalog: Catalog, queue: string, name: string): CatalogEntry | undefined {
    const known = catalog.find(name);
    if (known && (name === DELIVERY_JOB || !this.#queues.has(queue))) return known;
    const job = targetJob({
      courier: this.#courier,
      targets: this.#targets,
      jobs: this.#jobs,
      name,
      onTarget: (found) => this.#queues.add(found),
    });
    return { job, origin: 'target' };
  }

  async stop(): Promise<void> {
    await this.#jobs.close();
    await Promise.all(this.#clients.map((client) => close(client)));
  }
}
