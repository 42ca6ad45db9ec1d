/** This file owns the job `example.echo`: answers its payload, after a while or after some failures when asked to. For a first look. */
import { setTimeout as sleep } from 'node:timers/promises';
import { defineJob } from '@sluice/jobs';
import { z } from 'zod';

export const exampleEcho = defineJob({
  name: 'example.echo',
  payload: z.looseObject({
    /** Milliseconds to wait first. */
    delay: z.int().min(0).max(600_000).optional(),
    /** How many attempts fail before one succeeds. */
    failures: z.int().min(0).max(100).optional(),
  }),
  async run(payload, { attempt, signal, progress, log }) {
    await log(`attempt ${attempt}`);
    await progress(0);
    await sleep(payload.delay ?? 0, undefined, { signal });
    if (attempt <= (payload.failures ?? 0))
      throw new Error(`attempt ${attempt} of ${payload.failures} that fail as asked`);
    await progress(100);
    return payload;
  },
});
