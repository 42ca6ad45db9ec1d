/** This file owns waiting for the end of a job without a word, and printing its result. */
import type { Api } from './api.ts';
import { CommandFailure } from './failure.ts';
import { interrupted, interruptible } from './interruption.ts';
import type { JobAddress } from './job-follow.ts';
import { length, memberText, print, visible } from './output.ts';
import type { Terminal } from './terminal.ts';

/** Seconds that one request may wait. */
const MAX_WAIT_SECONDS = 30;
const EXPIRED = 410;

/** Throws when the job does not complete within `timeoutMs`, or not at all. */
export async function waitForEnd(
  api: Api,
  terminal: Terminal,
  { queue, id, timeoutMs }: JobAddress & { timeoutMs: number },
): Promise<void> {
  const until = performance.now() + timeoutMs;
  await interruptible(async (signal) => {
    for (;;) {
      const leftSeconds = Math.ceil((until - performance.now()) / 1_000);
      const end = await resultOf(api, { queue, id }, Math.min(leftSeconds, MAX_WAIT_SECONDS), signal);
      if (end) return print(terminal, [api.isJson ? end : (memberText(end, 'result') ?? 'null')]);
      if (performance.now() >= until) {
        const advice = `sluice jobs follow ${queue} ${id}`;
        throw new CommandFailure(
          `Job ${id} has not ended within ${length(timeoutMs)}. It goes on: ${advice}`,
        );
      }
    }
  });
}

/** The answer's text when the job has completed, `undefined` when it has not ended; throws when it failed. */
async function resultOf(
  api: Api,
  job: JobAddress,
  waitSeconds: number,
  signal: AbortSignal,
): Promise<string | undefined> {
  try {
    const reply = await api.client.getJobResult({
      params: job,
      query: { wait: String(Math.max(waitSeconds, 0)) },
      signal,
    });
    if (!('result' in reply)) return undefined;
    if (reply.state === 'completed') return api.textOf(reply);
    throw failedJob(job.id, reply.error?.code ?? reply.state, reply.error?.message ?? 'no reason is told');
  } catch (error) {
    if (signal.aborted) throw interrupted(`Stopped waiting; job ${job.id} goes on.`);
    const refusal = api.refusal(error);
    // Its body is the job's end, of which the client takes the sentence.
    if (refusal?.status === EXPIRED) throw failedJob(job.id, 'expired', refusal.message);
    throw error;
  }
}

function failedJob(id: string, code: string, message: string): CommandFailure {
  return new CommandFailure(`Job ${id} did not complete: ${visible(`${code}: ${message}`)}.`);
}
