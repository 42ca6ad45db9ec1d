/** This file owns starting and stopping: services in order, stopped in reverse, within a deadline, by signal. */

export interface Service {
  readonly name: string;
  /** Resolves when ready. A rejection stops what was started before it. */
  start?(): Promise<void> | void;
  /** Accept no more, finish what runs, then rest. Called once. `signal` aborts when the deadline has passed. */
  stop?(signal: AbortSignal): Promise<void> | void;
}

export interface Running {
  /** Stops every service in reverse order; safe to call twice. Answers the names of services that missed the deadline or failed. */
  stop(deadlineMs?: number): Promise<string[]>;
}

export const DEFAULT_STOP_DEADLINE_MS = 25_000;

/**
 * Starts services one after the other; when one fails, those already started are stopped and the failure is thrown.
 * `onStopFailure` hears why a service did not stop as it should, for the log.
 */
export async function startAll(
  services: readonly Service[],
  options: { onStopFailure?: (service: string, error: unknown) => void } = {},
): Promise<Running> {
  const started: Service[] = [];
  let stopping: Promise<string[]> | undefined;
  const stop = (deadlineMs = DEFAULT_STOP_DEADLINE_MS) => {
    stopping ??= stopAll(started, deadlineMs, options.onStopFailure);
    return stopping;
  };
  for (const service of services) {
    try {
      await service.start?.();
      started.push(service);
    } catch (error) {
      await stop();
      throw error;
    }
  }
  return { stop };
}

async function stopAll(
  started: readonly Service[],
  deadlineMs: number,
  onFailure: (service: string, error: unknown) => void = () => undefined,
): Promise<string[]> {
  const unclean: string[] = [];
  const deadline = AbortSignal.timeout(deadlineMs);
  const late = new Promise<'late'>((resolve) => deadline.addEventListener('abort', () => resolve('late')));
  for (const service of [...started].reverse()) {
    const stopped = Promise.resolve()
      .then(() => service.stop?.(deadline))
      .then(
        () => 'clean' as const,
        (error: unknown) => {
          onFailure(service.name, error);
          return 'failed' as const;
        },
      );
    if ((await Promise.race([stopped, late])) !== 'clean') unclean.push(service.name);
  }
  return unclean;
}

/** One Ctrl-C arrives twice under npm: from the terminal, which tells the whole group, and from npm, which passes it on. */
const SAME_WISH_MS = 500;

/**
 * Resolves with the name of the first SIGINT or SIGTERM. A second one, `SAME_WISH_MS` or more later, ends the process
 * at once with status 1: whoever asks twice does not want to wait for running work.
 */
export function untilSignal(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    let askedAt: number | undefined;
    const onSignal = (signal: NodeJS.Signals) => {
      if (askedAt !== undefined && performance.now() - askedAt >= SAME_WISH_MS) process.exit(1);
      askedAt ??= performance.now();
      resolve(signal);
    };
    process.on('SIGINT', onSignal);
    process.on('SIGTERM', onSignal);
  });
}
