/** How many hits a second does a cache answer that loads what it lacks? `ours` `bentocache` `cacheable`, each with memory before Redis or without. */
import { answer } from './program.mjs';

const KEYS = 1_000;
const [side, kind] = process.argv.slice(2);
const hasMemory = kind === 'memory';
const LOOP = hasMemory ? 100 : 1;
const VALUE = { name: 'ada', text: 'x'.repeat(200) };

const sides = {
  ours: async () => {
    const { Cache, InvalidationBus, RedisDriver } = await import('../../packages/cache/dist/index.js');
    const { systemClock } = await import('../../packages/runtime/dist/index.js');
    const { keys, openClient } = await import('./ours.mjs');
    const client = await openClient();
    const driver = new RedisDriver({ client, keyspace: keys, service: 'bench' });
    const near = hasMemory && {
      bus: new InvalidationBus({
        publisher: client,
        subscriber: await openClient('subscriber'),
        channel: 'bench-near',
        clock: systemClock,
      }),
    };
    const cache = new Cache({ name: 'bench', driver, ...(near && { near }) });
    await cache.start?.();
    return async (key) => (await cache.getOrLoad(key, () => VALUE, { ttl: 3_600 })).value;
  },
  bentocache: async () => {
    const { BentoCache, bentostore } = await import('bentocache');
    const { redisDriver } = await import('bentocache/drivers/redis');
    const { memoryDriver } = await import('bentocache/drivers/memory');
    const { hostname: host, port } = new URL(process.env.REDIS_URL);
    const store = bentostore();
    if (hasMemory) store.useL1Layer(memoryDriver({ maxItems: 10_000 }));
    store.useL2Layer(redisDriver({ connection: { host, port: Number(port) } }));
    const cache = new BentoCache({ default: 'bench', stores: { bench: store } });
    return (key) => cache.getOrSet({ key, factory: () => VALUE, ttl: '1h' });
  },
  cacheable: async () => {
    const { Cacheable } = await import('cacheable');
    const { default: KeyvRedis } = await import('@keyv/redis');
    const { Keyv } = await import('keyv');
    const secondary = new Keyv({ store: new KeyvRedis(process.env.REDIS_URL) });
    const cache = hasMemory ? new Cacheable({ secondary }) : new Cacheable({ primary: secondary });
    return (key) => cache.getOrSet(key, async () => VALUE, { ttl: '1h' });
  },
};

const read = await sides[side]();
for (let at = 0; at < KEYS; at += 1) {
  const found = await read(`key:${at}`);
  if (found?.name !== 'ada') throw new Error(`${side} loaded ${JSON.stringify(found)}`);
}
let next = 0;
await answer({
  call: async () => {
    for (let at = 0; at < LOOP; at += 1) {
      next = (next + 1) % KEYS;
      await read(`key:${next}`);
    }
  },
  jobsPerCall: LOOP,
  inFlight: 64,
});
