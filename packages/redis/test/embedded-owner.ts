/** This program owns the Redis of a folder until it is killed; `embedded.test.ts` kills it. */
import { startEmbeddedRedis } from '../src/embedded.ts';

const [directory = '', orphanGraceMs] = process.argv.slice(2);
const redis = await startEmbeddedRedis({ directory, orphanGraceMs: Number(orphanGraceMs) });
console.log(redis.url);
