/** What does a rate limit's decision cost, beside rate-limiter-flexible? */
import { compare, inProcess } from './harness.mjs';
import { startProgram, startRedis } from './processes.mjs';
import { judge, reportCases } from './report.mjs';

const RIVAL = 'rate-limiter-flexible';
const FIXED = 'Sluice, fixed window';
const GCRA = 'Sluice, GCRA';

async function side(name, file, ...args) {
  const redis = await startRedis();
  return inProcess({ name, program: await startProgram(file, args, redis), redis });
}

const allowed = await compare('Allowed, 64 in flight, 1,000 keys', [
  await side(RIVAL, 'flexible.mjs', 'allowed'),
  await side(FIXED, 'limiter.mjs', 'allowed', 'fixed'),
  await side(GCRA, 'limiter.mjs', 'allowed', 'gcra'),
  await side('Sluice, sliding window', 'limiter.mjs', 'allowed', 'sliding'),
]);
const denied = await compare('Denied, one key, from memory', [
  await side(RIVAL, 'flexible.mjs', 'denied'),
  await side(FIXED, 'limiter.mjs', 'denied', 'fixed'),
  await side(GCRA, 'limiter.mjs', 'denied', 'gcra'),
]);
const goals = [FIXED, GCRA].flatMap((name) => [
  judge(allowed, { goal: `allowed: ${name} / ${RIVAL}`, side: name, against: [RIVAL], atLeast: 1.25 }),
  judge(allowed, {
    goal: `Redis CPU a decision: ${name} / ${RIVAL}`,
    ...{ side: name, against: [RIVAL], metric: 'redisMicros', atMost: 0.6 },
  }),
  judge(denied, { goal: `denied: ${name} / ${RIVAL}`, side: name, against: [RIVAL], atLeast: 4 }),
]);
reportCases('limits', "What does a rate limit's decision cost, beside rate-limiter-flexible?", {
  cases: [allowed, denied],
  goals,
  notes: [
    'Each side is a program on one core with a Redis of its own. No decision is prepaid: each that is allowed is decided in Redis.',
  ],
});
process.exit(0);
