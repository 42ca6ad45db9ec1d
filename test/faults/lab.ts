/**
 * This file owns one set-up for one run: Redis, product, sink, ledger, nemesis and load beside each other, and the way from
 * "all is healed" to a verdict.
 *
 *   load -> API -> Redis -> workers -> sink
 *     '-> ledger    ^ nemesis ^          '-> checker <- ledger, store
 */
import { join } from 'node:path';
import { until } from '../e2e/product.ts';
import { auditStore } from './audit.ts';
import type { Run } from './case.ts';
import { type Evidence, judge, type Verdict } from './checker.ts';
import { Door } from './door.ts';
import { Ledger, readLedger } from './ledger.ts';
import { Load, type LoadOptions } from './load.ts';
import { Nemesis } from './nemesis.ts';
import { Product, type ProductOptions } from './product.ts';
import { Sink } from './sink.ts';
import type { Topology } from './topology.ts';

export interface LabOptions
  extends Partial<Pick<ProductOptions, 'apis' | 'workers' | 'outsiders' | 'variables' | 'workerImports'>> {
  topology: Topology;
  /** Where the load's jobs go that have no queue of their own. Default `work-a` and `work-b`. */
  queues?: readonly string[] | undefined;
  /** Looked into beside those. */
  otherQueues?: readonly string[] | undefined;
  sinkDelayMs?: number | undefined;
  /** Does not start the product. */
  isCold?: boolean | undefined;
}

export interface CheckOptions {
  load: Load;
  isCutOffExpected?: boolean | undefined;
  /** For all to come to rest; default 120 s. */
  settleMs?: number | undefined;
}

type Counts = Record<string, number>;
const UNFINISHED = ['waiting', 'prioritized', 'delayed', 'active', 'waiting_children'];

export class Lab {
  readonly topology: Topology;
  readonly product: Product;
  readonly sink: Sink;
  readonly ledger: Ledger;
  readonly nemesis: Nemesis;
  readonly door: Door;
  readonly queues: readonly string[];
  readonly #run: Run;
  readonly #allQueues: readonly string[];

  private constructor(
    run: Run,
    parts: Pick<Lab, 'topology' | 'product' | 'sink' | 'ledger' | 'queues'> & {
      allQueues: readonly string[];
    },
  ) {
    this.topology = parts.topology;
    this.product = parts.product;
    this.sink = parts.sink;
    this.ledger = parts.ledger;
    this.queues = parts.queues;
    this.#run = run;
    this.#allQueues = parts.allQueues;
    this.nemesis = new Nemesis({ path: join(run.folder, 'nemesis.ndjson'), say: run.say });
    this.door = new Door(() => this.product.apis.map(({ url }) => url));
  }

  static async open(run: Run, options: LabOptions): Promise<Lab> {
    const { topology, apis = 1, workers = 2, variables = {}, queues = ['work-a', 'work-b'] } = options;
    const allQueues = [...queues, ...(options.otherQueues ?? [])];
    const sink = await Sink.open(run, { folder: run.folder, maxDelayMs: options.sinkDelayMs });
    const product = await Product.prepare(run, {
      folder: join(run.folder, 'product'),
      variables: { WORKER_CONCURRENCY: '*=50', ...topology.variables, ...variables },
      ...{ apis, workers, outsiders: options.outsiders, sink, workerImports: options.workerImports },
    });
    const ledger = await Ledger.open(join(run.folder, 'ledger.ndjson'));
    run.onTestFinished(() => ledger.close());
    const lab = new Lab(run, { topology, product, sink, ledger, queues, allQueues });
    run.onTestFinished(() => lab.door.close());
    if (!options.isCold) await product.start();
    return lab;
  }

  /** Jobs begin to go in. */
  load(options: Pick<LoadOptions, 'jobsPerSecond' | 'mix' | 'maxDelayMs' | 'workMs'>): Load {
    const { door, ledger, queues, sink } = this;
    const load = new Load({ ...options, door, ledger, queues, sinkUrl: sink.url, random: this.#run.random });
    this.#run.onTestFinished(() => load.abandon());
    load.start();
    return load;
  }

  /** How far it is, every five seconds until `end` is called. */
  watch(load: Load): { end: () => void } {
    const timer = setInterval(() => {
      const { ok, unknown, fail } = this.ledger.counts;
      const strikes = this.nemesis.strikes.length;
      this.#run.say(
        `${load.jobsMade} jobs: ${ok} ok, ${unknown} unknown, ${fail} refused; ${strikes} faults`,
      );
    }, 5_000);
    const end = () => clearInterval(timer);
    this.#run.onTestFinished(end);
    return { end };
  }

  /** Ends the load, waits until nothing waits or runs, and compares what was told with what was done. */
  async check(options: CheckOptions): Promise<Verdict> {
    return judge(await this.gather(options));
  }

  /** Ends the load, waits until nothing waits or runs, and collects what was told, done and left. */
  async gather({ load, isCutOffExpected = false, settleMs = 120_000 }: CheckOptions): Promise<Evidence> {
    const healedAt = Date.now();
    await load.stop();
    const isAtRest = await until(
      async () => ((await this.unfinished()) === 0 ? true : undefined),
      settleMs,
      200,
    ).catch(() => false);
    const settledSeconds = (Date.now() - healedAt) / 1_000;
    this.#run.say(isAtRest ? `at rest after ${settledSeconds.toFixed(1)} s` : 'not at rest in time');
    await this.ledger.flush();
    return {
      entries: await readLedger(this.ledger.path),
      effects: await this.sink.effects(),
      audit: await auditStore(this.topology, this.#allQueues),
      ...{ answersMs: load.answersMs, answers: load.answers, isCutOffExpected },
      crashes: this.product.crashes,
      settledSeconds: isAtRest ? settledSeconds : undefined,
    };
  }

  /** Jobs that wait or run, in all queues; 1 when nobody can tell. */
  async unfinished(): Promise<number> {
    let sum = 0;
    for (const queue of this.#allQueues) {
      const { status, body } = await this.door.call(`/queues/${queue}`);
      if (status === 404) continue;
      if (status !== 200) return 1;
      const { counts } = body as { counts: Counts };
      for (const state of UNFINISHED) sum += counts[state] ?? 0;
    }
    return sum;
  }
}
