import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { Taken } from '../src/index.ts';
import type { PolicyInput } from '../src/schemas.ts';
import {
  ConcurrencyReference,
  FixedReference,
  GcraReference,
  type Reference,
  SlidingReference,
} from './references.ts';
import { setup } from './setup.ts';

const PERIOD_MS = 60_000;
const POLICIES = [
  { name: 'fixed', algorithm: 'fixed', limit: 7, period: 'minute' },
  { name: 'sliding', algorithm: 'sliding', limit: 6, period: 'minute' },
  // 7 does not divide 60,000: a burst counted in fractions would come one short.
  { name: 'gcra', algorithm: 'gcra', limit: 7, period: 'minute', burst: 5 },
  { name: 'concurrency', algorithm: 'concurrency', limit: 4, lease: '30s' },
] as const satisfies readonly PolicyInput[];

/** What is asked about after each step: less than any limit, and as much as each holds. */
const COSTS = [1, 3, 4, 5, 6, 7];
const RATES = ['fixed', 'sliding', 'gcra'] as const;
type Name = (typeof POLICIES)[number]['name'];

const name = fc.constantFrom(...POLICIES.map((policy) => policy.name));
const rate = fc.constantFrom(...RATES);
const cost = fc.integer({ min: 0, max: 8 });
const step = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant('take' as const),
      names: fc.uniqueArray(name, { minLength: 1 }),
      cost,
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant('wait' as const), ms: fc.integer({ min: 1, max: 40_000 }) }),
  },
  // To the millisecond in which something refused is told to fit.
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant('wait_told' as const), early: fc.constantFrom(0, 1) }),
  },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('refund' as const), which: fc.nat() }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('refund_some' as const), name: rate, cost }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('penalize' as const), name: rate, cost }) },
);

function references(): Record<Name, Reference> {
  return {
    fixed: new FixedReference(7, PERIOD_MS),
    sliding: new SlidingReference(6, PERIOD_MS),
    gcra: new GcraReference(7, PERIOD_MS, 5),
    concurrency: new ConcurrencyReference(4, 30_000),
  };
}

it('decides as the references do, whatever is taken, given back, charged and waited for', async (t) => {
  const { limiter, time } = await setup(t, POLICIES);
  let run = 0;
  let refusals = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 30 }), async (steps) => {
      run += 1;
      const key = `run-${run}`;
      const model = references();
      let charges: Taken[] = [];
      let toldMs = 0;
      for (const each of steps) {
        const nowMs = time.nowMs;
        switch (each.kind) {
          case 'wait':
            time.advance(each.ms);
            break;
          case 'wait_told':
            time.advance(Math.max(toldMs - each.early, 0));
            break;
          case 'take': {
            const retries = each.names.map((policy) => model[policy].retry(nowMs, each.cost));
            const asks = each.names.map((policy) => ({ policy, key, cost: each.cost }));
            // Redis first, so that every figure is compared; then the take, which memory may answer.
            const seen = await limiter.peek(...asks);
            expect(seen.quotas.map(({ retryAfterMs }) => retryAfterMs ?? -1)).toEqual(retries);
            const decision = await limiter.take(...asks);
            expect(decision.isAllowed).toBe(retries.every((retry) => retry === 0));
            if (decision.isAllowed) {
              for (const policy of each.names) model[policy].add(nowMs, each.cost);
              charges.push(...decision.taken);
              break;
            }
            refusals += 1;
            if (!retries.includes(-1)) toldMs = Math.max(...retries);
            break;
          }
          case 'refund': {
            const charge = charges[each.which % Math.max(charges.length, 1)];
            if (!charge) break;
            charges = charges.filter((other) => other !== charge);
            await limiter.refund(charge);
            model[charge.policy as Name].giveBack(nowMs, charge.cost, charge.takenAtMs ?? undefined);
            break;
          }
          case 'refund_some':
            await limiter.refund({ policy: each.name, key, cost: each.cost });
            model[each.name].giveBack(nowMs, each.cost, undefined);
            break;
          case 'penalize':
            await limiter.penalize({ policy: each.name, key, cost: each.cost });
            model[each.name].add(nowMs, each.cost);
            break;
        }
        const nowAfterMs = time.nowMs;
        const peeks = COSTS.map((each) =>
          limiter.peek(...POLICIES.map(({ name: policy }) => ({ policy, key, cost: each }))),
        );
        const told = (await Promise.all(peeks)).map(({ quotas }) =>
          quotas.map(({ remaining, retryAfterMs }) => [remaining, retryAfterMs ?? -1]),
        );
        expect(told).toEqual(
          COSTS.map((each) =>
            POLICIES.map(({ name: policy }) => [
              model[policy].remaining(nowAfterMs),
              model[policy].retry(nowAfterMs, each),
            ]),
          ),
        );
      }
    }),
    { numRuns: Number(process.env.MODEL_RUNS ?? 150) },
  );
  expect(refusals).toBeGreaterThan(20);
}, 60_000);
