/** This file owns the program that is killed: a worker over HTTP whose jobs each put one thing into the sink. */
import { createClient, LeaseWorker, routes } from '@sluice/contract';

const { SLUICE_URL, SLUICE_KEY, QUEUE, SINK_URL } = process.env;
const worker = new LeaseWorker({
  client: createClient(routes, { baseUrl: SLUICE_URL, apiKey: SLUICE_KEY }),
  queue: QUEUE,
  concurrency: 20,
  leaseMs: 10_000,
  processor: async ({ id, data }, { signal }) => {
    const answer = await fetch(SINK_URL, {
      method: 'POST',
      headers: { 'Idempotency-Key': data.key, 'X-Job-Id': id },
      signal,
    });
    if (!answer.ok) throw new Error(`the sink answered ${answer.status}`);
  },
});
worker.start();
console.log('worker started');
