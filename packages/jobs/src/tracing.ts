/** This file owns what jobs ask of traces; who traces is the app's. */

/** Of whoever enqueues. */
export interface TraceCarrier {
  /** What BullMQ carries in a job's options (`tm`); `undefined` outside any trace. */
  carrier(): string | undefined;
}

/** Of whoever runs attempts. */
export interface AttemptTracing {
  attempt<T>(
    attempt: { queue: string; name: string; jobId: string; attempt: number; carrier: string | undefined },
    work: () => Promise<T>,
    outcomeOf: (result: T) => string,
  ): Promise<T>;
}
