/** The same of rate-limiter-flexible, with its block in memory for a key that is over its limit. */
import { Redis } from 'ioredis';
import { RateLimiterRedis } from 'rate-limiter-flexible';
import { answer } from './program.mjs';

const KEYS = 1_000;
const LOOP = 1_000;
const [kind] = process.argv.slice(2);
const points = kind === 'denied' ? 1 : 1_000_000_000;
const limiter = new RateLimiterRedis({
  storeClient: new Redis(process.env.REDIS_URL, { enableOfflineQueue: true }),
  points,
  duration: 3_600,
  ...(kind === 'denied' && { inMemoryBlockOnConsumed: points + 1 }),
});
let next = 0;
const allowed = async () => {
  next = (next + 1) % KEYS;
  await limiter.consume(`key:${next}`);
};
const isRefused = () =>
  limiter.consume('key').then(
    () => false,
    () => true,
  );
const denied = async () => {
  for (let at = 0; at < LOOP; at += 1) if (!(await isRefused())) throw new Error('allowed');
};
if (kind === 'denied') for (let at = 0; at < 3; at += 1) await isRefused();
await (kind === 'denied'
  ? answer({ call: denied, jobsPerCall: LOOP, inFlight: 1 })
  : answer({ call: allowed, jobsPerCall: 1, inFlight: 64 }));
