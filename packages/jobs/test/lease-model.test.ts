/**
 * Any order of what workers, operators and time do to leases, against a model of it: a lease that is live can do
 * everything, one that is not changes nothing, and every job is where the model says.
 */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { Jobs } from '../src/jobs.ts';
import type { LeaseFacts } from '../src/leases.ts';
import type { JobState } from '../src/schemas.ts';
import { type Bundle, setup } from './setup.ts';

const RUNS = 150;
const JOBS = 3;
const MAX_ATTEMPTS = 3;
const MAX_DELIVERIES = 3;

type Step =
  | { kind: 'take' }
  | {
      kind: 'complete' | 'fail' | 'fatal' | 'release' | 'heartbeat' | 'progress' | 'lose' | 'cancel';
      lease: number;
    };

interface ModelJob {
  state: JobState;
  made: number;
  lost: number;
  isCancelled: boolean;
  /** The last lease under which it was completed or failed. */
  settledBy?: ModelLease;
}

interface ModelLease {
  facts: LeaseFacts;
  job: ModelJob;
  /** How it was settled; its holder may say so again. */
  settledBy: 'complete' | 'fail' | 'cancel' | undefined;
  isLive: boolean;
}

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 3, arbitrary: fc.constant({ kind: 'take' as const }) },
  {
    weight: 10,
    arbitrary: fc.record({
      kind: fc.constantFrom(
        'complete' as const,
        'fail' as const,
        'fatal' as const,
        'release' as const,
        'heartbeat' as const,
        'progress' as const,
        'lose' as const,
        'cancel' as const,
      ),
      lease: fc.nat(7),
    }),
  },
);

class Model {
  readonly #jobs: Jobs;
  readonly #redis: Bundle['redis'];
  readonly #queue: string;
  readonly jobs = new Map<string, ModelJob>();
  /** The last one first. */
  readonly leases: ModelLease[] = [];

  constructor({ jobs, redis }: Bundle, queue: string) {
    this.#jobs = jobs;
    this.#redis = redis;
    this.#queue = queue;
  }

  async begin(): Promise<void> {
    const job = { name: 'n', opts: { attempts: MAX_ATTEMPTS } };
    for (const result of await this.#jobs.enqueueMany(this.#queue, Array(JOBS).fill(job))) {
      if (!result.ok) throw result.error;
      this.jobs.set(result.job.id, { state: 'waiting', made: 0, lost: 0, isCancelled: false });
    }
  }

  async do(step: Step): Promise<void> {
    if (step.kind === 'take') return await this.#take();
    const lease = this.leases[step.lease];
    if (!lease) return;
    if (step.kind === 'lose') return await this.#lose(lease);
    if (step.kind === 'cancel') return await this.#cancel(lease);
    await this.#call(step.kind, lease);
  }

  async #take(): Promise<void> {
    const taken = await this.#jobs.leases.take(this.#queue, { count: 50, leaseMs: 60_000, holder: 'k' });
    const expected: string[] = [];
    for (const [id, job] of this.jobs) {
      if (job.state !== 'waiting') continue;
      if (job.isCancelled) this.#end(job, 'cancelled');
      else {
        job.state = 'active';
        expected.push(id);
      }
    }
    expect(taken.map(({ job }) => job.id).sort()).toEqual(expected.sort());
    for (const each of taken) {
      const job = this.jobs.get(each.job.id) as ModelJob;
      expect(each.attempt).toBe(job.made + 1);
      const facts = this.#jobs.leases.open(each.lease, 'k');
      this.leases.unshift({ facts, job, settledBy: undefined, isLive: true });
    }
  }

  /** As if its time had run out, and somebody had looked. */
  async #lose(lease: ModelLease): Promise<void> {
    if (!lease.isLive) return;
    const { job, facts } = lease;
    const base = `${this.#redis.keys.queuePrefix(this.#queue)}:${this.#queue}:`;
    const { client } = this.#redis;
    await client
      .multi()
      .del(`${base}${facts.jobId}:lock`)
      .zadd(`${base}sluice:leases`, 0, facts.jobId)
      .exec();
    await expect.poll(() => client.lpos(`${base}active`, facts.jobId), { interval: 5 }).toBeNull();
    lease.isLive = false;
    job.lost += 1;
    job.state = 'waiting';
    if (job.isCancelled) this.#end(job, 'cancelled');
    else if (job.lost >= MAX_DELIVERIES) this.#end(job, 'failed');
  }

  async #cancel({ isLive, job, facts }: ModelLease): Promise<void> {
    if (!isLive) return;
    expect(await this.#jobs.cancel(this.#queue, facts.jobId)).toEqual({ kind: 'cancelling' });
    job.isCancelled = true;
  }

  async #call(
    kind: 'complete' | 'fail' | 'fatal' | 'release' | 'heartbeat' | 'progress',
    lease: ModelLease,
  ): Promise<void> {
    const { leases } = this.#jobs;
    const { facts, job } = lease;
    const isFailing = kind === 'fail' || kind === 'fatal';
    // A cancelled job ends as such whichever of the two is said, and so it may be said again.
    const isAgain =
      (lease.settledBy === 'complete' && kind === 'complete') ||
      (lease.settledBy === 'fail' && isFailing) ||
      (lease.settledBy === 'cancel' && (isFailing || kind === 'complete'));
    const mayAnswer = lease.isLive || (job.settledBy === lease && isAgain);
    const call = {
      complete: () => leases.complete(facts, 'done'),
      fail: () => leases.fail(facts, { message: 'no', isRetryable: true }),
      fatal: () => leases.fail(facts, { message: 'no', isRetryable: false }),
      release: () => leases.release(facts),
      heartbeat: () => leases.heartbeat(facts),
      progress: () => leases.progress(facts, 1),
    }[kind];
    if (!mayAnswer) return await expect(call()).rejects.toMatchObject({ code: 'lease_lost' });
    const answer = await call();
    if (!lease.isLive) return;
    if (kind === 'heartbeat') expect(answer).toMatchObject({ isCancelling: job.isCancelled });
    if (kind === 'heartbeat' || kind === 'progress') return;
    lease.isLive = false;
    if (kind === 'release') job.state = 'waiting';
    else {
      lease.settledBy = job.isCancelled ? 'cancel' : isFailing ? 'fail' : 'complete';
      job.settledBy = lease;
      this.#settle(job, kind);
    }
    expect(answer).toMatchObject({ state: job.state });
  }

  #settle(job: ModelJob, kind: 'complete' | 'fail' | 'fatal'): void {
    if (job.isCancelled) this.#end(job, 'cancelled');
    else if (kind === 'complete') this.#end(job, 'completed');
    else if (kind === 'fatal' || job.made + 1 === MAX_ATTEMPTS) this.#end(job, 'failed');
    else {
      job.made += 1;
      job.state = 'waiting';
    }
  }

  #end(job: ModelJob, state: JobState): void {
    job.made += 1;
    job.state = state;
  }

  /** Where the jobs are in Redis. */
  async found(): Promise<Map<string, Pick<ModelJob, 'state' | 'made' | 'lost'>>> {
    const found = new Map<string, Pick<ModelJob, 'state' | 'made' | 'lost'>>();
    for (const id of this.jobs.keys()) {
      const { state, attempts } = await this.#jobs.get(this.#queue, id);
      found.set(id, { state, made: attempts.made, lost: attempts.lost });
    }
    return found;
  }

  /** Jobs with a lock are those with a live lease. */
  async locked(): Promise<string[]> {
    const base = `${this.#redis.keys.queuePrefix(this.#queue)}:${this.#queue}:`;
    const ids = [...this.jobs.keys()];
    const held = await Promise.all(ids.map((id) => this.#redis.client.exists(`${base}${id}:lock`)));
    return ids.filter((_, index) => held[index] === 1);
  }
}

it('holds for any order of calls', { timeout: 120_000 }, async (t) => {
  const bundle = await setup(t, {
    leases: { secret: Buffer.alloc(32, 7), checkMs: 10, maxDeliveries: MAX_DELIVERIES },
  });
  let run = 0;

  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40 }), async (steps) => {
      run += 1;
      const model = new Model(bundle, `q${run}`);
      await model.begin();
      await model.do({ kind: 'take' });

      for (const each of steps) await model.do(each);

      const expected = [...model.jobs].map(([id, { state, made, lost }]) => [id, { state, made, lost }]);
      expect([...(await model.found())]).toEqual(expected);
      const live = model.leases.filter(({ isLive }) => isLive).map(({ facts }) => facts.jobId);
      expect((await model.locked()).sort()).toEqual(live.sort());
    }),
    { numRuns: RUNS },
  );
});
