/**
 * This file owns waiting for a place at a host inside the process: a few deliveries, for a moment, to a host that has just
 * answered. Sending each of them back to its queue instead costs more than the request. A host that does not answer is
 * waited for by nobody here: its deliveries would hold the worker that others need.
 */
/** Of one host; half of the attempts that a worker runs at the same time by default stay for others. */
const MAX_WAITING = 100;
const MAX_WAIT_MS = 250;
/** A host that has answered this lately will again. */
const LIVELY_MS = 1_000;
/** Hosts remembered; a delivery to one forgotten goes back to its queue once. */
const MAX_HOSTS = 10_000;
/** An answer makes room for the next request, and adds a place (take-place.lua). */
const CALLED_BY_ANSWER = 2;

interface Room {
  answeredAt: number;
  /** The first to come first; each is called once. */
  waiting: Set<() => void>;
}

export class Anteroom {
  readonly #rooms = new Map<string, Room>();

  /** Resolves with `true` when it is worth asking for a place again, at once with `false` when it is not worth waiting. */
  async wait(host: string): Promise<boolean> {
    const room = this.#rooms.get(host);
    if (!room || room.waiting.size >= MAX_WAITING || performance.now() - room.answeredAt > LIVELY_MS)
      return false;
    return await new Promise<boolean>((resolve) => {
      const call = () => {
        clearTimeout(timer);
        room.waiting.delete(call);
        resolve(true);
      };
      const timer = setTimeout(() => {
        room.waiting.delete(call);
        resolve(false);
      }, MAX_WAIT_MS);
      room.waiting.add(call);
    });
  }

  /** A request to the host has ended. */
  leave(host: string, { isAnswered }: { isAnswered: boolean }): void {
    const room = this.#rooms.get(host) ?? this.#open(host, isAnswered);
    if (!room) return;
    if (isAnswered) room.answeredAt = performance.now();
    for (const call of [...room.waiting].slice(0, isAnswered ? CALLED_BY_ANSWER : 1)) call();
  }

  #open(host: string, isAnswered: boolean): Room | undefined {
    if (!isAnswered) return undefined;
    if (this.#rooms.size >= MAX_HOSTS) this.#forgetOldest();
    const room: Room = { answeredAt: 0, waiting: new Set() };
    this.#rooms.set(host, room);
    return room;
  }

  /** Whoever waits there is let go by the clock. */
  #forgetOldest(): void {
    const [oldest] = this.#rooms.keys();
    if (oldest !== undefined) this.#rooms.delete(oldest);
  }
}
