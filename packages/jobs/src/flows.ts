/** This file owns flows: trees of jobs, whose parents run when their children have ended. */
import type { Keyspace } from '@sluice/config';
import { Cluster, type RedisClient, writeProven } from '@sluice/redis';
import { type Clock, DomainError } from '@sluice/runtime';
import { type BacklogBound, reserve } from './backlog.ts';
import type { FlowEntry } from './bullmq.ts';
import { check, dataText, invalid } from './data.ts';
import type { DurableConnections } from './durable-connections.ts';
import { PROOF_BUDGET_MS, type ProvenDurability } from './durable-lane.ts';
import { notConfirmed } from './enqueue.ts';
import { newJobId } from './ids.ts';
import { jobKeys } from './keys.ts';
import { type StoredOptions, storedOptions } from './options.ts';
import { DURABILITY_FIELD } from './queue-settings.ts';
import { type OpenQueue, type Queues, registerQueue } from './queues.ts';
import type { Reader } from './reads.ts';
import {
  type Durability,
  FLOW_POLICIES,
  type FlowPolicy,
  flowOptionsSchema,
  type JobOptions,
  type JobState,
  type JobsErrorCode,
  jobNameSchema,
  MAX_FLOW_DEPTH,
  MAX_FLOW_JOBS,
} from './schemas.ts';
import { touchJob } from './scripts.ts';
import type { JobView } from './view.ts';

export interface FlowJob {
  queue: string;
  name: string;
  /** Any JSON; `JsonText` is stored as it is written. Absent: `{}`. */
  data?: unknown;
  opts?: JobOptions | undefined;
  /** What becomes of the parent when this job fails; default `fail_parent`. */
  onFailure?: FlowPolicy | undefined;
  children?: readonly FlowJob[] | undefined;
}

export interface AddedFlow {
  id: string;
  queue: string;
  name: string;
  state: JobState;
  /** What holds it for certain: its queue's durability. */
  durability: Durability;
  children: AddedFlow[];
}

export interface FlowView {
  id: string;
  queue: string;
  /** `null` when it has been removed since. */
  job: JobView | null;
  children: FlowView[];
  /** It has children that are not told here: there are too many, or they lie too deep. */
  hasMore: boolean;
}

export interface FlowsOptions {
  client: RedisClient;
  keys: Keyspace;
  queues: Queues;
  reader: Reader;
  clock: Clock;
  maxDataBytes: number;
  durable: DurableConnections;
}

type Parent = FlowEntry['parent'];
type CollectedFlow = Omit<AddedFlow, 'durability' | 'children'> & { children: CollectedFlow[] };

export class Flows {
  readonly #options: FlowsOptions;

  constructor(options: FlowsOptions) {
    this.#options = options;
  }

  /**
   * Adds all jobs of the tree, or none. At most 500 jobs, 10 deep. Codes: `flow_spans_slots` in a Cluster, where all of a
   * flow's queues must be one, `quota_backlog_exceeded` when there is no room in one of its queues, `durability_unavailable`
   * and `durability_not_confirmed` for what its queues ask for together.
   */
  async add(root: FlowJob, { backlog }: { backlog?: BacklogBound | undefined } = {}): Promise<AddedFlow> {
    const { client, keys, queues } = this.#options;
    const entries: FlowEntry[] = [];
    const collected = this.#collect(root, undefined, 1, entries);
    const names = [...new Set(entries.map(({ queue }) => queue))];
    if (client instanceof Cluster && names.length > 1) {
      throw new DomainError<JobsErrorCode>(
        'flow_spans_slots',
        `queues ${names.join(', ')} lie in different slots of the Cluster`,
      );
    }
    if (backlog) {
      const idsIn = (name: string) => entries.filter(({ queue }) => queue === name).map(({ id }) => id);
      // One after another: a refusal by one queue asks no more of the others.
      for (const name of names) await reserve(client, queues.open(name), idsIn(name), backlog);
    }
    const [levels] = await Promise.all([
      this.#durabilities(names),
      Promise.all(names.map((name) => registerQueue(client, keys, name))),
    ]);
    const { addFlow } = await import('./bullmq.ts');
    await addFlow(await queues.open(root.queue).backend(), entries);
    const proofs = [...new Set(levels.values())].filter((level) => level !== 'memory');
    if (proofs.length > 0) await this.#prove(queues.open(root.queue), collected.id, proofs);
    return withDurability(collected, levels);
  }

  async #durabilities(names: readonly string[]): Promise<Map<string, Durability>> {
    const { client, queues, durable } = this.#options;
    if (!durable.arePossible) return new Map();
    const found = await Promise.all(
      names.map((name) => client.hget(queues.open(name).keys.meta, DURABILITY_FIELD)),
    );
    return new Map(names.map((name, index) => [name, (found[index] ?? 'memory') as Durability]));
  }

  /**
   * BullMQ wrote the flow on another connection. Where its root is, and it is in no two halves, all of it is, before the write
   * that is proven here: also when Redis has failed over meanwhile.
   */
  async #prove(queue: OpenQueue, id: string, proofs: readonly ProvenDurability[]): Promise<void> {
    const durability = proofs.join(', ');
    const { job } = jobKeys(queue.keys, id);
    const proven = await this.#options.durable.use(job, (client) =>
      writeProven(client, {
        key: job,
        proofs,
        timeoutMs: PROOF_BUDGET_MS,
        write: (pipeline) => touchJob.queueInTurn(pipeline, { keys: { job, id: queue.keys.id }, args: {} }),
      }),
    );
    if (proven.kind === 'impossible') throw notConfirmed(queue, { id, durability, shortfall: proven.reason });
    const [[error, isThere] = [null, 0]] = proven.replies;
    const shortfall = error?.message ?? (isThere === 1 ? proven.shortfall : 'it is no longer there');
    if (shortfall !== undefined) throw notConfirmed(queue, { id, durability, shortfall });
  }

  /** The tree below a job, as far as it is kept. Code `job_not_found`. */
  async get(queue: string, id: string): Promise<FlowView> {
    const job = await this.#options.reader.get(queue, id);
    return await this.#view(queue, id, job, 1, { left: MAX_FLOW_JOBS - 1 });
  }

  #collect(node: FlowJob, parent: Parent, depth: number, entries: FlowEntry[]): CollectedFlow {
    const { queues, clock, keys, maxDataBytes } = this.#options;
    const at = ['children', String(depth)];
    if (depth > MAX_FLOW_DEPTH) throw invalid(`a flow is at most ${MAX_FLOW_DEPTH} jobs deep`);
    if (entries.length >= MAX_FLOW_JOBS) throw invalid(`a flow holds at most ${MAX_FLOW_JOBS} jobs`);
    const { name: queue } = queues.open(node.queue);
    const now = clock.now();
    const opts =
      node.opts === undefined
        ? undefined
        : (check(flowOptionsSchema, node.opts, [...at, 'opts']) as JobOptions);
    const children = node.children ?? [];
    const entry: FlowEntry = {
      id: newJobId(now),
      queue,
      prefix: keys.queuePrefix(queue),
      name: check(jobNameSchema, node.name, [...at, 'name']),
      data: dataText(node.data, maxDataBytes),
      opts: { ...storedOptions(opts, now), ...(parent && policyOptions(node.onFailure ?? 'fail_parent')) },
      timestamp: now,
      isParent: children.length > 0,
      parent,
    };
    entries.push(entry);
    const self = { id: entry.id, queueKey: `${entry.prefix}:${queue}` };
    return {
      id: entry.id,
      queue,
      name: entry.name,
      state: children.length > 0 ? 'waiting-children' : firstState(entry.opts),
      children: children.map((child) => this.#collect(child, self, depth + 1, entries)),
    };
  }

  async #view(
    queue: string,
    id: string,
    job: JobView | null,
    depth: number,
    budget: { left: number },
  ): Promise<FlowView> {
    const { queues, reader } = this.#options;
    const backend = await queues.open(queue).backend();
    const {
      processed = {},
      unprocessed = [],
      ignored = {},
      failed = [],
    } = await backend.getDependencies(id, {});
    const known = [...Object.keys(processed), ...unprocessed, ...Object.keys(ignored), ...failed];
    const isTooDeep = depth >= MAX_FLOW_DEPTH;
    const told = isTooDeep ? [] : known.slice(0, budget.left);
    budget.left -= told.length;
    const children: FlowView[] = [];
    for (const key of told) {
      const child = backend.parseNodeKey(key);
      const childJob = (await reader.find(child.queueName, child.id)) ?? null;
      children.push(await this.#view(child.queueName, child.id, childJob, depth + 1, budget));
    }
    return { id, queue, job, children, hasMore: told.length < known.length };
  }
}

function withDurability(
  { children, ...flow }: CollectedFlow,
  levels: ReadonlyMap<string, Durability>,
): AddedFlow {
  return {
    ...flow,
    durability: levels.get(flow.queue) ?? 'memory',
    children: children.map((child) => withDurability(child, levels)),
  };
}

function policyOptions(policy: FlowPolicy): StoredOptions {
  switch (policy) {
    case 'fail_parent':
      return { failParentOnFailure: true };
    case 'continue_parent':
      return { continueParentOnFailure: true };
    case 'ignore':
      return { ignoreDependencyOnFailure: true };
    case 'forget':
      return { removeDependencyOnFailure: true };
    case 'wait':
      return {};
    default:
      throw invalid(`on_failure is one of ${FLOW_POLICIES.join(', ')}`);
  }
}

function firstState({ delay, priority }: StoredOptions): JobState {
  if (delay) return 'delayed';
  return priority ? 'prioritized' : 'waiting';
}
