/** This file owns what an answer may tell of queues that its visitor does not see: nothing, wherever jobs point to each other. */
import type { BoardCall } from './bull-board.ts';

/** Of Bull Board's answers, what is looked at. */
interface Told {
  flowRoot?: Node | null;
  job?: ToldJob;
  queues?: { jobs?: ToldJob[] }[];
}

interface ToldJob {
  opts?: { parent?: { queue?: string } } | string;
}

interface Node {
  queueName: string;
  children: Node[];
  /** By the key of the child. */
  ignoredChildFailureReasons?: Record<string, string>;
}

/** Takes out parents, children and why children failed, where they are in other queues than these. */
export function withoutStrangers<T extends { body?: unknown }>(reply: T, queues: BoardCall['queues']): T {
  const { flowRoot, job, queues: listed = [] } = (reply.body ?? {}) as Told;
  if (flowRoot) prune(flowRoot, queues);
  for (const each of [...(job ? [job] : []), ...listed.flatMap(({ jobs = [] }) => jobs)]) {
    hideParent(each, queues);
  }
  return reply;
}

function hideParent({ opts }: ToldJob, queues: BoardCall['queues']): void {
  if (typeof opts !== 'object' || typeof opts.parent?.queue !== 'string') return;
  // `{prefix}:{queue}`, and no queue has a colon in its name.
  if (!queues.has(opts.parent.queue.split(':').at(-1) ?? '')) delete opts.parent;
}

function prune(node: Node, queues: BoardCall['queues']): void {
  node.children = node.children.filter(({ queueName }) => queues.has(queueName));
  const reasons = node.ignoredChildFailureReasons;
  if (reasons) {
    // `{prefix}:{queue}:{id}`, and no id of ours has a colon either.
    const known = Object.entries(reasons).filter(([key]) => queues.has(key.split(':').at(-2) ?? ''));
    node.ignoredChildFailureReasons = Object.fromEntries(known);
  }
  for (const child of node.children) prune(child, queues);
}
