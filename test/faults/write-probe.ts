/** This file owns the question from when to when nothing could be enqueued: a small job to each queue in turn, at an even pace. */
import type { Door } from './door.ts';
import { sleepUntil } from './random.ts';

interface Probe {
  queue: string;
  /** Epoch milliseconds. */
  sentAt: number;
  answeredAt: number;
  code: string;
  isStored: boolean;
}

export class WriteProbe {
  readonly probes: Probe[] = [];
  readonly #door: Door;
  readonly #queues: readonly string[];
  readonly #everyMs: number;
  readonly #calls = new Set<Promise<void>>();
  #isStopping = false;
  #pacing: Promise<void> | undefined;

  /** One job each `everyMs`, to the queues in turn. */
  constructor({ door, queues, everyMs }: { door: Door; queues: readonly string[]; everyMs: number }) {
    this.#door = door;
    this.#queues = queues;
    this.#everyMs = everyMs;
  }

  start(): void {
    this.#pacing = this.#pace();
  }

  async stop(): Promise<void> {
    this.#isStopping = true;
    await this.#pacing;
    await Promise.all(this.#calls);
  }

  /**
   * Milliseconds from `from` until jobs for these queues were stored again and went on being; 0 when none sent before `to`
   * was refused.
   */
  outageMs(queues: readonly string[], from: number, to: number): number {
    const own = this.#between(from, to).filter(({ queue }) => queues.includes(queue));
    const lastRefused = own.findLast(({ isStored }) => !isStored);
    if (!lastRefused) return 0;
    const again = own.find(({ isStored, sentAt }) => isStored && sentAt > lastRefused.sentAt);
    return (again?.answeredAt ?? to) - from;
  }

  /** How many jobs for these queues were sent in that time, and the answers to those that were not stored. */
  refusals(queues: readonly string[], from: number, to: number): { sent: number; refused: string[] } {
    const own = this.#between(from, to).filter(({ queue }) => queues.includes(queue));
    return {
      sent: own.length,
      refused: own.filter(({ isStored }) => !isStored).map(({ queue, code }) => `${queue}: ${code}`),
    };
  }

  #between(from: number, to: number): Probe[] {
    const within = this.probes.filter(({ sentAt }) => sentAt >= from && sentAt <= to);
    return within.sort((a, b) => a.sentAt - b.sentAt);
  }

  async #pace(): Promise<void> {
    const begun = Date.now();
    for (let sent = 0; !this.#isStopping; sent += 1) {
      await sleepUntil(begun + sent * this.#everyMs);
      const call = this.#send(this.#queues[sent % this.#queues.length] as string);
      this.#calls.add(call);
      void call.finally(() => this.#calls.delete(call));
    }
  }

  async #send(queue: string): Promise<void> {
    const sentAt = Date.now();
    const json = { name: 'example.echo', data: {} };
    const { status, code } = await this.#door.call(`/queues/${queue}/jobs`, { method: 'POST', json });
    this.probes.push({ queue, sentAt, answeredAt: Date.now(), code, isStored: status === 201 });
  }
}
