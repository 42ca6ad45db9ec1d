/** This file owns what BullMQ's worker does not tell by itself: when it asks for a job, and whether it is done with one. */
import { type Job as BullJob, Worker as BullWorker, type Processor, type WorkerOptions } from 'bullmq';

export interface WorkerObserver {
  /** Redis has answered a request for a job, with one or without. */
  onFetched: () => void;
  /** A request was answered or a job is done with; look at `fetching` and `processing`. */
  onChange: () => void;
}

export class ObservedWorker extends BullWorker {
  readonly #observer: WorkerObserver;
  #fetching = 0;
  #processing = 0;

  constructor(queue: string, processor: Processor, options: WorkerOptions, observer: WorkerObserver) {
    // Begun only when this class is whole.
    super(queue, processor, { ...options, autorun: false });
    this.#observer = observer;
  }

  /** Requests for a job under way. */
  get fetching(): number {
    return this.#fetching;
  }

  /** Jobs taken of which not all is written yet. */
  get processing(): number {
    return this.#processing;
  }

  protected override async moveToActive(token: string, name?: string): Promise<BullJob> {
    // BullMQ looks before it waits for a job; one that comes while it is told to stop stays where it is.
    if (this.closing || this.paused) return super.nextJobFromJobData();
    this.#fetching += 1;
    try {
      const job = await super.moveToActive(token, name);
      this.#observer.onFetched();
      return job;
    } finally {
      this.#fetching -= 1;
      this.#observer.onChange();
    }
  }

  override async processJob(
    ...args: Parameters<BullWorker['processJob']>
  ): ReturnType<BullWorker['processJob']> {
    this.#processing += 1;
    try {
      return await super.processJob(...args);
    } finally {
      this.#processing -= 1;
      this.#observer.onChange();
    }
  }
}
