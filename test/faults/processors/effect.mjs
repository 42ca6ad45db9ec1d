/** This file owns the job of the fault cases: it puts one thing into the sink, under the key it was given. */
import { Agent, request } from 'node:http';
import { defineJob } from '@sluice/jobs';
import { z } from 'zod';

const agent = new Agent({ keepAlive: true, maxSockets: 256 });

export default defineJob({
  name: 'fault.effect',
  payload: z.object({ key: z.string(), url: z.url(), workMs: z.int().min(0).default(0) }),
  run: ({ key, url, workMs }, { jobId, signal }) =>
    new Promise((resolve, reject) => {
      const call = request(
        url,
        { agent, signal, method: 'POST', headers: { 'Idempotency-Key': key, 'X-Job-Id': jobId } },
        (answer) => {
          answer.resume();
          answer.once('end', () => {
            if (answer.statusCode !== 200) reject(new Error(`the sink answered ${answer.statusCode}`));
            else if (workMs > 0) setTimeout(() => resolve(null), workMs);
            else resolve(null);
          });
        },
      );
      call.once('error', reject);
      call.end();
    }),
});
