/** How many decisions a second does our limiter take? `allowed`: each is decided in Redis; `denied`: one key far over its limit. */
import { Limiter } from '../../packages/rate-limit/dist/index.js';
import { keys, openClient } from './ours.mjs';
import { answer } from './program.mjs';

const KEYS = 1_000;
const LOOP = 1_000;
const [kind, algorithm = 'fixed'] = process.argv.slice(2);
const limit = kind === 'denied' ? 1 : 1_000_000_000;
const limiter = new Limiter({
  redis: await openClient(),
  keys,
  policies: [{ name: 'bench', algorithm, limit, period: 'hour' }],
});
let next = 0;
const allowed = async () => {
  next = (next + 1) % KEYS;
  const { isAllowed } = await limiter.take({ policy: 'bench', key: `key:${next}` });
  if (!isAllowed) throw new Error('refused');
};
const denied = async () => {
  for (let at = 0; at < LOOP; at += 1) {
    const { isAllowed } = await limiter.take({ policy: 'bench', key: 'key' });
    if (isAllowed) throw new Error('allowed');
  }
};
if (kind === 'denied') await limiter.take({ policy: 'bench', key: 'key' });
await (kind === 'denied'
  ? answer({ call: denied, jobsPerCall: LOOP, inFlight: 1 })
  : answer({ call: allowed, jobsPerCall: 1, inFlight: 64 }));
