/** This file owns what a job is to its author: a name, a payload schema, the function that runs it, and its bounds. */
/** Characters a job name may have; it is a label in metrics and a word in logs. */
const JOB_NAME = /^[A-Za-z0-9][A-Za-z0-9_.:-]{0,127}$/;
/** Returned values ride in the queue's event stream too, 10,000 of them at a time. */
export const DEFAULT_MAX_RESULT_BYTES = 16_384;
/** Long enough to close a transaction, short enough that a cancelled job looks cancelled. */
export const DEFAULT_ABORT_GRACE_MS = 1_000;

/** What a processor is given beside its payload. */
export interface AttemptContext {
  readonly jobId: string;
  readonly queue: string;
  /** 1 for the first attempt. */
  readonly attempt: number;
  readonly maxAttempts: number;
  /**
   * Aborts when the job is cancelled, the attempt is over its time, the worker stops, or the job's lock is lost;
   * `signal.reason.code` says which: `cancelled`, `timeout`, `shutdown`, `lock_lost`. Hand it to everything that waits.
   */
  readonly signal: AbortSignal;
  /** Any JSON of at most 4 KiB, shown beside the job. Rejects with `RangeError` above that. */
  readonly progress: (value: unknown) => Promise<void>;
  /** Adds a line to the job's log; the last 100 lines are kept, a line is cut at `maxLogLineBytes`. */
  readonly log: (line: string) => Promise<void>;
}

/** The part of zod (or of whatever parses like it) that is used here. */
export interface PayloadSchema<T> {
  safeParse(
    value: unknown,
  ): { success: true; data: T } | { success: false; error: { issues: readonly SchemaIssue[] } };
}

export interface SchemaIssue {
  path: readonly PropertyKey[];
  message: string;
}

export interface JobDefinition<Payload = unknown, Result = unknown> {
  /** What a client writes as the job's `name`. */
  readonly name: string;
  readonly payload: PayloadSchema<Payload>;
  /** Checked before the result is stored; a result that does not fit fails the job. */
  readonly result?: PayloadSchema<Result> | undefined;
  /** Per attempt, unless the job itself says otherwise; the worker's default when absent. */
  readonly timeoutMs?: number | undefined;
  /** How long an aborted attempt may take to come back before it is given up; default 1 s. */
  readonly abortGraceMs?: number | undefined;
  /** Bytes of the result as JSON; default 16 KiB. */
  readonly maxResultBytes?: number | undefined;
  /** Bytes of a line of the job's log; default 8 KiB. */
  readonly maxLogLineBytes?: number | undefined;
  /**
   * `process`: each attempt runs in a child process of its own kind, which is killed when it does not come back from an
   * abort. Needs a module that exports the job as its default. Default `none`: in the worker's process.
   */
  readonly isolation?: 'none' | 'process' | undefined;
  run(payload: Payload, ctx: AttemptContext): Promise<Result> | Result;
}

/**
 * Declares a job. Throws `TypeError` at once for a name or a bound that cannot be used.
 *
 *     export default defineJob({
 *       name: 'invoice.send',
 *       payload: z.object({ invoiceId: z.string() }),
 *       async run({ invoiceId }, { signal }) { … },
 *     });
 */
export function defineJob<Payload, Result>(
  definition: JobDefinition<Payload, Result>,
): JobDefinition<Payload, Result> {
  const fault = jobFault(definition);
  if (fault !== undefined) throw new TypeError(fault);
  return definition;
}

/** What keeps `value` from being a job, as a sentence for whoever wrote it; `undefined` when it is one. */
export function jobFault(value: unknown): string | undefined {
  if (typeof value !== 'object' || value === null)
    return `a job is an object made by defineJob, not ${describe(value)}`;
  const job = value as Partial<Record<keyof JobDefinition, unknown>>;
  if (typeof job.name !== 'string' || !JOB_NAME.test(job.name)) {
    return `a job's name is 1 to 128 letters, digits, '.', ':', '-' or '_', and begins with a letter or digit; this one is ${describe(job.name)}`;
  }
  if (!isSchema(job.payload))
    return `the payload of job '${job.name}' must be a zod schema, for example z.object({ … }); it is ${describe(job.payload)}`;
  if (job.result !== undefined && !isSchema(job.result))
    return `the result of job '${job.name}' must be a zod schema or absent; it is ${describe(job.result)}`;
  if (typeof job.run !== 'function')
    return `job '${job.name}' needs a function run(payload, ctx); run is ${describe(job.run)}`;
  for (const bound of ['timeoutMs', 'abortGraceMs', 'maxResultBytes', 'maxLogLineBytes'] as const) {
    const number = job[bound];
    if (number !== undefined && !(Number.isInteger(number) && (number as number) > 0)) {
      return `${bound} of job '${job.name}' must be a whole number above 0; it is ${describe(number)}`;
    }
  }
  if (job.isolation !== undefined && job.isolation !== 'none' && job.isolation !== 'process') {
    return `isolation of job '${job.name}' must be 'none' or 'process'; it is ${describe(job.isolation)}`;
  }
  return undefined;
}

function isSchema(value: unknown): boolean {
  return typeof (value as { safeParse?: unknown } | null | undefined)?.safeParse === 'function';
}

function describe(value: unknown): string {
  if (typeof value === 'string') return `'${value.slice(0, 40)}'`;
  if (typeof value === 'number') return String(value);
  return value === null ? 'null' : typeof value;
}
