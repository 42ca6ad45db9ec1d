/** This file owns members that start side by side and stop side by side, as one service. */

import type { Service } from '@sluice/runtime';
import type { Member } from './member.ts';

/** For those that did start, when one did not. */
const STOP_DEADLINE_MS = 5_000;

/** When one does not start, the others are stopped, and its failure is thrown. */
export function together(name: string, members: readonly Member[]): Service {
  return {
    name,
    async start() {
      const started = await Promise.allSettled(members.map((member) => member.start()));
      const failed = started.find((each) => each.status === 'rejected');
      if (!failed) return;
      const deadline = AbortSignal.timeout(STOP_DEADLINE_MS);
      await Promise.all(
        members
          .filter((_, index) => started[index]?.status === 'fulfilled')
          .map((member) => member.stop(deadline)),
      );
      throw failed.reason;
    },
    async stop(deadline) {
      await Promise.all(members.map((member) => member.stop(deadline)));
    },
  };
}
