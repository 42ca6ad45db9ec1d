/** This file owns the kinds of jobs that a load is made of: where each is asked for, and how it is told what to do. */

export const KINDS = ['single', 'unkeyed', 'batch', 'delayed', 'request', 'leased', 'delivery'] as const;
export type Kind = (typeof KINDS)[number];

/** Jobs in one request of the kinds that come in batches. */
const BATCH = 25;
/** Left to workers over HTTP by the worker processes. */
export const LEASED_QUEUE = 'pull-work';
export const DELIVERY_QUEUE = 'deliveries';

export interface Work {
  key: string;
  sinkUrl: string;
  /** 0 but for `delayed`. */
  delayMs: number;
  workMs: number;
}

export interface Shape {
  jobs: number;
  /** `undefined`: one of the load's own. */
  queue?: string | undefined;
  path?: string | undefined;
  /** Told by this key, so that a second try is the same job. */
  isKeyed: boolean;
  item: (work: Work) => object;
}

const effect = ({ key, sinkUrl, delayMs, workMs }: Work) => ({
  name: 'fault.effect',
  data: { key, url: sinkUrl, ...(workMs > 0 && { workMs }) },
  ...(delayMs > 0 && { opts: { delay: delayMs } }),
});

/** The worker's own job, through its egress guard. */
const request = ({ key, sinkUrl }: Work) => ({
  name: 'http.request',
  data: { url: sinkUrl, method: 'POST', headers: { 'Idempotency-Key': key } },
});

const delivery = ({ key, sinkUrl }: Work) => ({
  ...{ url: sinkUrl, body: { key }, headers: { 'Idempotency-Key': key } },
  schedule: [0, '1s', '5s', '5s', '5s'],
});

export const SHAPES: Readonly<Record<Kind, Shape>> = {
  single: { jobs: 1, isKeyed: true, item: effect },
  unkeyed: { jobs: 1, isKeyed: false, item: effect },
  batch: { jobs: BATCH, isKeyed: true, item: effect },
  delayed: { jobs: 1, isKeyed: true, item: effect },
  request: { jobs: BATCH, isKeyed: true, item: request },
  leased: {
    jobs: BATCH,
    isKeyed: true,
    queue: LEASED_QUEUE,
    item: ({ key }) => ({ name: 'put', data: { key } }),
  },
  delivery: { jobs: BATCH, isKeyed: true, queue: DELIVERY_QUEUE, path: '/deliveries', item: delivery },
};

/** Shares of requests, not of jobs. */
export const USUAL_MIX: Readonly<Record<Kind, number>> = {
  ...{ single: 0.55, unkeyed: 0.15, batch: 0.1, delayed: 0.2 },
  ...{ request: 0, leased: 0, delivery: 0 },
};
