/** This file owns the plain worker: BullMQ's, 50 jobs at a time, a processor that does nothing. */
import { Worker } from 'bullmq';

const { hostname: host, port } = new URL(process.env.REDIS_URL);
const worker = new Worker('bench', async () => null, {
  connection: { host, port: Number(port) },
  prefix: process.env.PREFIX,
  concurrency: 50,
});
await worker.waitUntilReady();
console.log('listening');
