/** This file owns the question from when to when nothing could be enqueued: a small job to each queue in turn, at an even pace. */
import type { Door } from './door.ts';
import { OpenLoop } from './open-loop.ts';

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
  readonly #loop: OpenLoop;

  /** One job each `everyMs`, to the queues in turn. */
  constructor({ door, queues, everyMs }: { door: Door; queues: readonly string[]; everyMs: number }) {
    this.#door = door;
    this.#loop = new OpenLoop({
      everyMs: everyMs,
      call: (number) => this.#send(queues[number % queues.length] as string),
    });
  }

  start(): void {
    this.#loop.start();
  }

  async stop(): Promise<void> {
    await this.#loop.stop();
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

  async #send(queue: string): Promise<void> {
    const sentAt = Date.now();
    const json = { name: 'example.echo', data: {} };
    const { status, code } = await this.#door.call(`/queues/${queue}/jobs`, { method: 'POST', json });
    this.probes.push({ queue, sentAt, answeredAt: Date.now(), code, isStored: status === 201 });
  }
}
