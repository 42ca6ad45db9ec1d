/**
 * This file owns whom a full server sends away: before anything is done for them, so that those let in are answered in time
 * and memory stays bounded; Redis hears nothing of the rest.
 *
 * A server whose Redis is slow fills up with requests that are worked on. One whose CPU is the bound never does, because
 * what it cannot begin waits: there, how long the first of that line has waited says that it is full.
 */
import type { RouteDeclaration } from '@sluice/contract';
import { BodyRoom } from './body-room.ts';
import type { Exchange } from './exchange.ts';
import { failure } from './failure.ts';
import { OVERLOADED } from './overload.ts';
import { withCommonHeaders } from './reply.ts';
import { requestIdOf } from './request-id.ts';
import { rawQuery } from './target.ts';
import { Turns } from './turns.ts';

/** Whoever asks whether we live must hear it, and soon, however full we are. */
const ALWAYS_LET_IN = 'operations';
/** Who has just come would wait longer still, and is promised an answer in 2 s. */
const MAX_WAIT_MS = 250;
/** So few are let in however long they wait: a large request or two are not a crowd. */
const FEW = 16;

export class Occupancy {
  readonly bodies: BodyRoom;
  readonly #max: number;
  readonly #turns = new Turns();
  #running = 0;
  #shed = 0;

  /**
   * `max`: requests at once. Those that only wait (long polls, streams) are not among them: they have bounds of their own.
   * `maxBodyBytes`: of their bodies together.
   */
  constructor({ max, maxBodyBytes }: { max: number; maxBodyBytes: number }) {
    this.bodies = new BodyRoom({ max: maxBodyBytes });
    this.#max = max;
  }

  /** Requests sent away since the start. */
  get shed(): number {
    return this.#shed + this.bodies.refusals;
  }

  get running(): number {
    return this.#running;
  }

  /** Of those worked on: how many wait for a turn of the event loop. */
  get waiting(): number {
    return this.#turns.waiting;
  }

  /** False: sent away, and answered already. */
  hasRoom(exchange: Exchange, { tag }: RouteDeclaration): boolean {
    if (!this.#isFull() || tag === ALWAYS_LET_IN) return true;
    this.#shed += 1;
    const requestId = requestIdOf(exchange.header('x-request-id'));
    exchange.answer(withCommonHeaders(failure(OVERLOADED, requestId).reply, requestId));
    return false;
  }

  #isFull(): boolean {
    if (this.#running >= this.#max) return true;
    return this.#turns.waiting > FEW && this.#turns.waitMs > MAX_WAIT_MS;
  }

  /** Counts `work` until it has ended, unless its route waits by design. Rejects as `work` does. */
  async hold(exchange: Exchange, route: RouteDeclaration, work: () => Promise<void>): Promise<void> {
    if (isWaiting(exchange, route)) return await work();
    this.#running += 1;
    try {
      await (route.tag === ALWAYS_LET_IN ? work() : this.#turns.begin(work));
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
