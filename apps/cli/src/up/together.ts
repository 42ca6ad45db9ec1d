/** This file owns services that start side by side and stop side by side, as one service. */
import type { Service } from '@sluice/runtime';

/** For those that did start, when one did not. */
const STOP_DEADLINE_MS = 5_000;

/** When one does not start, the others are stopped, and its failure is thrown. */
export function together(name: string, services: readonly Service[]): Service {
  return {
    name,
    async start() {
      const started = await Promise.allSettled(services.map((service) => service.start?.()));
      const failed = started.find((each) => each.status === 'rejected');
      if (!failed) return;
      const deadline = AbortSignal.timeout(STOP_DEADLINE_MS);
      await Promise.all(
        services
          .filter((_, index) => started[index]?.status === 'fulfilled')
          .map((service) => service.stop?.(deadline)),
      );
      throw failed.reason;
    },
    async stop(deadline) {
      await Promise.all(services.map((service) => service.stop?.(deadline)));
    },
  };
}
