/** This file owns what leases tell of jobs that are run outside, for whoever measures them. */
export interface LeaseWatch {
  /** A job was handed out for the first time, `waitMs` after it was due. */
  waited(queue: string, waitMs: number): void;
  /** An attempt ended: `completed`, or what was decided and the failure's code. */
  ended(queue: string, outcome: string, code: string): void;
}
