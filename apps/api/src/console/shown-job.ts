/** This file owns a job as the console shows it: what it carries is redacted as on the board. */
import type { JobView } from '@sluice/jobs';
import type { JsonText } from '@sluice/runtime';
import { Redaction, type Shown } from '../board/redaction.ts';

const REDACTION = new Redaction();

export interface ShownJob {
  name: string;
  data: string;
  /** `undefined`: there is none. */
  result: string | undefined;
  progress: string | undefined;
  error: string | undefined;
  stacks: string[];
  /** A text that belongs to the job. */
  text(text: string): string;
}

export function shownJob(job: JobView): ShownJob {
  const shown = redacted({ data: job.data, returnvalue: job.result, progress: job.progress });
  const json = (field: string) => {
    const value = shown.value(field);
    return value === undefined ? undefined : JSON.stringify(value, null, 2);
  };
  return {
    name: shown.text('name', job.name),
    data: json('data') ?? '',
    result: json('returnvalue'),
    progress: json('progress'),
    error: job.error ? `${job.error.code}: ${shown.text('failedReason', job.error.message)}` : undefined,
    stacks: job.stacks.map((stack) => shown.text('stacktrace', stack)),
    text: (text) => shown.text('logs', text),
  };
}

/** JSON of a scheduler's jobs. */
export function shownData(data: JsonText): string {
  return JSON.stringify(redacted({ data }).value('data'), null, 2);
}

function redacted(fields: Readonly<Record<string, JsonText | null>>): Shown {
  const present = Object.entries(fields).filter(([, value]) => value !== null);
  return REDACTION.of(Object.fromEntries(present.map(([name, value]) => [name, value?.toJSON()])));
}
