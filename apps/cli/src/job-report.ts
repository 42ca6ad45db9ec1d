/** This file owns what is written of a job that is followed, and the exit status its end comes to. */
import type { Api } from './api.ts';
import { CommandFailure } from './failure.ts';
import { interrupted, interruptible } from './interruption.ts';
import { type Followed, follow, isLast, type JobAddress } from './job-follow.ts';
import { memberText, print, visible } from './output.ts';
import type { Terminal } from './terminal.ts';

/** What an event brings, by the member of its data that tells it. */
const DETAIL: Readonly<Record<string, string>> = { progress: 'progress', completed: 'result' };

/** Writes a line for whatever happens; throws when the job does not complete. */
export async function followToEnd(api: Api, terminal: Terminal, job: JobAddress): Promise<void> {
  await interruptible(async (signal) => {
    for await (const followed of follow(api, job, signal)) {
      print(terminal, [api.isJson ? jsonOf(followed, api) : lineOf(followed)]);
      if (isLast(followed)) return requireCompleted(job, followed);
    }
    throw interrupted(`Stopped following; job ${job.id} goes on.`);
  });
}

function requireCompleted({ id }: JobAddress, followed: Followed): void {
  if (followed.kind !== 'event' || followed.name === 'completed') return;
  if (followed.name === 'removed') throw new CommandFailure(`Job ${id} is gone: it was removed.`);
  throw new CommandFailure(`Job ${id} did not complete: ${visible(reasonOf(followed.data))}.`);
}

function lineOf(followed: Followed): string {
  switch (followed.kind) {
    case 'seen': {
      const { job } = followed;
      return `${timeOf(new Date())}  ${visible(job.name)} of queue ${job.queue} is ${job.state}`;
    }
    case 'log':
      return `${timeOf(new Date())}  log  ${visible(followed.line)}`;
    case 'event': {
      const { name, data } = followed;
      const at = memberText(data, 'at');
      const detail = name === 'failed' ? reasonOf(data) : memberText(data, DETAIL[name] ?? '');
      const time = timeOf(at === undefined ? new Date() : new Date(JSON.parse(at) as string));
      return [time, name, ...(detail === undefined ? [] : [visible(detail)])].join('  ');
    }
    default:
      return followed satisfies never;
  }
}

/** One object a line: the event's own data, under the name of what happened. */
function jsonOf(followed: Followed, api: Api): string {
  switch (followed.kind) {
    case 'seen':
      return `{"event":"seen","job":${api.textOf(followed.job)}}`;
    case 'log':
      return JSON.stringify({ event: 'log', line: followed.line });
    case 'event': {
      const members = followed.data.trim().slice(1, -1);
      return `{"event":${JSON.stringify(followed.name)}${members === '' ? '' : `,${members}`}}`;
    }
    default:
      return followed satisfies never;
  }
}

function reasonOf(data: string): string {
  const error = memberText(data, 'error');
  if (error === undefined) return 'no reason is told';
  const { code, message } = JSON.parse(error) as { code: string; message: string };
  return `${code}: ${message}`;
}

/** Of the clock on the wall. */
function timeOf(at: Date): string {
  return at.toTimeString().slice(0, 8);
}
