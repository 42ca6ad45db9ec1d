/** This file owns metrics: the only prom-client of the house. Names carry units; labels come from closed lists. */
import { createRequire } from 'node:module';
import type * as PromClient from 'prom-client';

/**
 * The parts of prom-client that every process needs, each by its file: the whole of it brings a push gateway, the
 * aggregation of clusters and OpenTelemetry along, 85 files that a start would wait for.
 */
const load = createRequire(import.meta.url);
const Registry: typeof PromClient.Registry = load('prom-client/lib/registry');
const Counter: typeof PromClient.Counter = load('prom-client/lib/counter');
const Gauge: typeof PromClient.Gauge = load('prom-client/lib/gauge');
const Histogram: typeof PromClient.Histogram = load('prom-client/lib/histogram');

type Counter<L extends string> = PromClient.Counter<L>;
type Gauge<L extends string> = PromClient.Gauge<L>;
type Histogram<L extends string> = PromClient.Histogram<L>;

export type { Counter, Gauge, Histogram } from 'prom-client';

/** Seconds; from a cached read to a request that met its deadline. */
export const LATENCY_BUCKETS_SECONDS = [
  0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 30,
];

export class Metrics {
  readonly #registry = new Registry();
  readonly #collectors: (() => Promise<void>)[] = [];
  #isWithoutProcess: boolean;

  /** `processMetrics` adds Node's own (memory, handles, event-loop lag), kept from the first scrape on; default true. */
  constructor(options: { processMetrics?: boolean } = {}) {
    this.#isWithoutProcess = options.processMetrics ?? true;
  }

  counter<L extends string = never>(name: string, help: string, labelNames: readonly L[] = []): Counter<L> {
    return new Counter({ name, help, labelNames, registers: [this.#registry] });
  }

  histogram<L extends string = never>(
    name: string,
    help: string,
    labelNames: readonly L[] = [],
    buckets: number[] = LATENCY_BUCKETS_SECONDS,
  ): Histogram<L> {
    return new Histogram({ name, help, labelNames, buckets, registers: [this.#registry] });
  }

  /** `collect` runs at each scrape and must answer within the scrape's time; a rejection fails the scrape. */
  gauge<L extends string = never>(
    name: string,
    help: string,
    labelNames: readonly L[] = [],
    collect?: (gauge: Gauge<L>) => Promise<void> | void,
  ): Gauge<L> {
    const gauge: Gauge<L> = new Gauge({
      name,
      help,
      labelNames,
      registers: [this.#registry],
      ...(collect && { collect: () => collect(gauge) }),
    });
    return gauge;
  }

  /** `collect` sets several gauges from one look, before each scrape; bounds itself in time. A rejection fails the scrape. */
  beforeScrape(collect: () => Promise<void>): void {
    this.#collectors.push(collect);
  }

  /** The Prometheus text format 0.0.4. */
  async text(): Promise<string> {
    if (this.#isWithoutProcess) this.#addProcess();
    await Promise.all(this.#collectors.map((collect) => collect()));
    return await this.#registry.metrics();
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  #addProcess(): void {
    this.#isWithoutProcess = false;
    const { collectDefaultMetrics } = load('prom-client') as typeof PromClient;
    collectDefaultMetrics({ register: this.#registry, prefix: 'sluice_' });
  }
}
