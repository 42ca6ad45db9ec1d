/** This file owns the answers about targets of queues. */
import type { ErrorCode, routes } from '@sluice/contract';
import type { Target, Targets } from '@sluice/delivery';
import { DomainError } from '@sluice/runtime';
import type { Handlers } from '../http/call.ts';
import { json } from '../http/reply.ts';

type TargetRoutes = Pick<typeof routes, 'putTarget' | 'getTarget' | 'removeTarget'>;

/** `announce` makes a queue known to workers before its first job. */
export function targetHandlers({
  targets,
  announce,
}: {
  targets: Targets;
  announce: (queue: string) => Promise<void>;
}): Handlers<TargetRoutes> {
  return {
    putTarget: async ({ principal, params: { queue }, body }) => {
      // A target sends, and signs with an endpoint's secret, whatever is enqueued.
      if (!principal.grants.allowsSome('deliveries', 'send')) {
        throw new DomainError<ErrorCode>('forbidden', 'This key lacks the scope deliveries:send.', {
          details: { scope: 'deliveries:send' },
        });
      }
      const target = await targets.put(queue, body);
      await announce(queue);
      return json(200, targetBody(queue, target));
    },
    getTarget: async ({ params: { queue } }) => json(200, targetBody(queue, await targets.get(queue))),
    removeTarget: async ({ params: { queue } }) => {
      await targets.remove(queue);
      return json(200, { queue, success: true });
    },
  };
}

function targetBody(queue: string, { updatedAt, ...target }: Target) {
  return { queue, ...target, updated_at: new Date(updatedAt).toISOString() };
}
