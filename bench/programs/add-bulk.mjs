/** How many jobs a second does BullMQ's `addBulk` of 100 take in process, so many calls in flight (first argument, default 1)? */
import { JOB } from '../job.mjs';
import { answer } from './program.mjs';
import { openQueue } from './queue.mjs';

const queue = await openQueue();
const hundred = Array.from({ length: 100 }, () => JOB);
const [inFlight = '1'] = process.argv.slice(2);
await answer({ call: () => queue.addBulk(hundred), jobsPerCall: 100, inFlight: Number(inFlight) });
