/** This file owns the queue that programs add to: BullMQ's, with its defaults. */
import { Queue } from 'bullmq';

const { hostname, port } = new URL(process.env.REDIS_URL);

export async function openQueue() {
  const queue = new Queue('bench', { connection: { host: hostname, port: Number(port || 6379) } });
  await queue.waitUntilReady();
  return queue;
}
