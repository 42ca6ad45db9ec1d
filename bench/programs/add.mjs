/** How many jobs a second does BullMQ's `add` take in process, with 50 in flight? */
import { JOB } from '../job.mjs';
import { answer } from './program.mjs';
import { openQueue } from './queue.mjs';

const queue = await openQueue();
await answer({ call: () => queue.add(JOB.name, JOB.data), jobsPerCall: 1, inFlight: 50 });
