/**
 * This file owns how many requests are worked on at once. What comes beyond is sent away before anything is done for it, so
 * that those let in are served as fast as ever and memory stays bounded; Redis hears nothing of the rest.
 */
import type { RouteDeclaration } from '@sluice/contract';
import { BodyRoom } from './body-room.ts';
import { Capacity } from './capacity.ts';
import type { Exchange } from './exchange.ts';
import { failure } from './failure.ts';
import { OVERLOADED } from './overload.ts';
import { withCommonHeaders } from './reply.ts';
import { requestIdOf } from './request-id.ts';
import { rawQuery } from './target.ts';
import { Turns } from './turns.ts';

/** Whoever asks whether we live must hear it, however full we are. */
const ALWAYS_LET_IN = 'operations';
export class Occupancy {
  readonly bodies: BodyRoom;
  readonly #capacity: Capacity;
  readonly #turns = new Turns();
  #running = 0;
  #shed = 0;

  /**
   * `max`: requests at once. Those that only wait (long polls, streams) are not among them: they have bounds of their own.
   * `maxBodyBytes`: of their bodies together.
   */
  constructor({ max, maxBodyBytes }: { max: number; maxBodyBytes: number }) {
    this.bodies = new BodyRoom({ max: maxBodyBytes });
    this.#capacity = new Capacity({ max });
  }

  /** Requests sent away since the start. */
  get shed(): number {
    return this.#shed + this.bodies.refusals;
  }

  get running(): number {
    return this.#running;
  }

  /** How many it may work on, just now. */
  get limit(): number {
    return this.#capacity.limit;
  }

  /** False: sent away, and answered already. */
  hasRoom(exchange: Exchange, { tag }: RouteDeclaration): boolean {
    if (this.#running < this.#capacity.limit || tag === ALWAYS_LET_IN) return true;
    this.#shed += 1;
    const requestId = requestIdOf(exchange.header('x-request-id'));
    exchange.answer(withCommonHeaders(failure(OVERLOADED, requestId).reply, requestId));
    return false;
  }

  /** Counts `work` until it has ended, unless its route waits by design. Rejects as `work` does. */
  async hold(exchange: Exchange, route: RouteDeclaration, work: () => Promise<void>): Promise<void> {
    if (isWaiting(exchange, route)) return await work();
    this.#running += 1;
    this.#capacity.begin();
    try {
      await this.#turns.begin(work);
    } finally {
      this.#running -= 1;
      this.#capacity.end();
    }
  }
}

/** Where a wait is asked for in the query, the same call without one is work as any other. */
function isWaiting({ target }: Exchange, { isLongPoll, query }: RouteDeclaration): boolean {
  if (!isLongPoll) return false;
  return query?.shape.wait === undefined || /(?:^|&)wait=/.test(rawQuery(target));
}
