/**
 * This file owns the faults from within: at SIGUSR2 the connections that wait for jobs are dropped for good (BullMQ #4585);
 * after SIGWINCH their next wait never ends (BullMQ #4479).
 */
import { createRequire } from 'node:module';

const load = createRequire(import.meta.url);
const { Redis } = load('ioredis');
const waiting = new Set();
const silent = new Set();
const { bzpopmin } = Redis.prototype;
Redis.prototype.bzpopmin = function remembered(...args) {
  waiting.add(this);
  if (silent.has(this)) return new Promise(() => undefined);
  return bzpopmin.apply(this, args);
};
process.on('SIGUSR2', () => {
  for (const client of waiting) client.disconnect(false);
  waiting.clear();
});
process.on('SIGWINCH', () => {
  for (const client of waiting) silent.add(client);
});
