/** This program owns the Redis of a folder until it is killed; `embedded.test.ts` kills it. */
import { startEmbeddedRedis } from '../src/embedded.ts';

const redis = await startEmbeddedRedis({ directory: process.argv[2] ?? '' });
console.log(redis.url);
