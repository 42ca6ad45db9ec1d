/** This file owns how the figures of queues are told and judged. */
import type { QueueView } from '@sluice/jobs';
import { ADMIN_PATH } from '../admin/operator-sessions.ts';
import { count, duration, rate } from './figures.ts';
import type { LiveFigure, LiveFigures } from './live.ts';
import type { Look, Pulse } from './pulse.ts';

/** A job that waits so long is worth a look. */
const LONG_WAIT_MS = 5 * 60_000;

/** Of all queues together under `all:<figure>`, of each under `queue:<name>:<figure>`. */
export function queueFiguresOf({ queues }: Look, pulse: Pulse): LiveFigures {
  const figures = new Map<string, LiveFigure>();
  for (const queue of queues) {
    for (const [name, figure] of Object.entries(figuresOf(queue, pulse.inPerMinute(queue)))) {
      figures.set(`queue:${queue.name}:${name}`, figure);
    }
  }
  const sum = (of: (queue: QueueView) => number) => queues.reduce((total, queue) => total + of(queue), 0);
  const oldest = Math.max(-1, ...queues.map(({ oldestWaitingMs }) => oldestWaitingMs ?? -1));
  const incoming = queues.map((queue) => pulse.inPerMinute(queue));
  const failing = sum(({ rates }) => rates.failedPerMinute);
  const all: Record<string, LiveFigure> = {
    waiting: { text: count(sum(waitingIn)) },
    active: { text: count(sum(({ counts }) => counts.active)) },
    oldest: ageOf(oldest < 0 ? null : oldest),
    in: { text: incoming.includes(null) ? '–' : rate(incoming.reduce<number>((a, b) => a + (b ?? 0), 0)) },
    done: { text: rate(sum(({ rates }) => rates.completedPerMinute)) },
    failing: { text: rate(failing), state: failing > 0 ? 'bad' : undefined },
    failed: { text: count(sum(({ counts }) => counts.failed)) },
  };
  for (const [name, figure] of Object.entries(all)) figures.set(`all:${name}`, figure);
  return figures;
}

/** The page of a queue, below the console. */
export function queueAddress(queue: string): string {
  return `${ADMIN_PATH}/jobs/${encodeURIComponent(queue)}`;
}

/** The page of a job. */
export function jobAddress(queue: string, id: string): string {
  return `${queueAddress(queue)}/${encodeURIComponent(id)}`;
}

export function waitingIn({ counts }: QueueView): number {
  return counts.waiting + counts.prioritized;
}

function figuresOf(queue: QueueView, incoming: number | null): Record<string, LiveFigure> {
  const { counts, rates, workers, isPaused, oldestWaitingMs } = queue;
  const isUnserved = workers === 0 && waitingIn(queue) > 0 && !isPaused;
  return {
    waiting: { text: count(waitingIn(queue)) },
    delayed: { text: count(counts.delayed) },
    active: { text: count(counts.active) },
    children: { text: count(counts['waiting-children']) },
    completed: { text: count(counts.completed) },
    failed: { text: count(counts.failed) },
    oldest: ageOf(oldestWaitingMs),
    in: { text: incoming === null ? '–' : rate(incoming) },
    done: { text: rate(rates.completedPerMinute) },
    failing: { text: rate(rates.failedPerMinute), state: rates.failedPerMinute > 0 ? 'bad' : undefined },
    workers: { text: workers === null ? 'not told' : count(workers), state: isUnserved ? 'bad' : undefined },
    state: isPaused ? { text: 'paused', state: 'warn' } : { text: 'running' },
  };
}

function ageOf(ms: number | null): LiveFigure {
  if (ms === null) return { text: '–' };
  return { text: duration(ms), state: ms > LONG_WAIT_MS ? 'warn' : undefined };
}
