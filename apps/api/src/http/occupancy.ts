/**
 * This file owns how many requests are worked on at once. What comes beyond is sent away before anything is done for it, so
 * that those let in are served as fast as ever and memory stays bounded; Redis hears nothing of the rest.
 */
import type { ErrorCode, RouteDeclaration } from '@sluice/contract';
import { DomainError } from '@sluice/runtime';
import type { Exchange } from './exchange.ts';
import { failure } from './failure.ts';
import { withCommonHeaders } from './reply.ts';
import { requestIdOf } from './request-id.ts';
import { rawQuery } from './target.ts';

/** Whoever asks whether we live must hear it, however full we are. */
const ALWAYS_LET_IN = 'operations';
/** One for all: an error knows where it was made, and finding that out costs more than the answer. */
const OVERLOADED = new DomainError<ErrorCode>(
  'overloaded',
  'This server has as many requests as it can work on. Nothing was done; try again.',
  { details: { outcome: 'not_attempted' } },
);

export class Occupancy {
  readonly #max: number;
  #running = 0;
  #shed = 0;

  /** `max`: requests at once. Those that only wait (long polls, streams) are not among them: they have bounds of their own. */
  constructor({ max }: { max: number }) {
    this.#max = max;
  }

  /** Requests sent away since the start. */
  get shed(): number {
    return this.#shed;
  }

  get running(): number {
    return this.#running;
  }

  /** False: sent away, and answered already. */
  hasRoom(exchange: Exchange, { tag }: RouteDeclaration): boolean {
    if (this.#running < this.#max || tag === ALWAYS_LET_IN) return true;
    this.#shed += 1;
    const requestId = requestIdOf(exchange.header('x-request-id'));
    exchange.answer(withCommonHeaders(failure(OVERLOADED, requestId).reply, requestId));
    return false;
  }

  /** Counts `work` until it has ended, unless its route waits by design. Rejects as `work` does. */
  async hold(exchange: Exchange, route: RouteDeclaration, work: () => Promise<void>): Promise<void> {
    if (isWaiting(exchange, route)) return await work();
    this.#running += 1;
    try {
      await work();
    } finally {
      this.#running -= 1;
    }
  }
}

/** Where a wait is asked for in the query, the same call without one is work as any other. */
function isWaiting({ target }: Exchange, { isLongPoll, query }: RouteDeclaration): boolean {
  if (!isLongPoll) return false;
  return query?.shape.wait === undefined || /(?:^|&)wait=/.test(rawQuery(target));
}
