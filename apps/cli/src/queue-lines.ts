/**
 * This file owns a queue as lines of NDJSON, and back: its schedulers, then its jobs, each as it would be enqueued again.
 *
 *   {"scheduler": {"id", "schedule", "name", "data", "opts"}}
 *   {"name", "data", "opts", "idempotency_key"}                 by the key a job is made once, however often it is imported
 *   {"checkpoint": {"state", "cursor"}}                         everything before it is there; a cursor of null: the state is done
 */
import { createHash } from 'node:crypto';
import type { ListedState } from '@sluice/jobs/schemas';
import type { Api } from './api.ts';
import { isJson } from './argument.ts';
import { linesOf } from './job-lines.ts';
import { memberText, resourceTexts } from './output.ts';

export const EXPORTED_STATES = ['waiting', 'prioritized', 'delayed', 'failed'] as const;
export type ExportedState = (typeof EXPORTED_STATES)[number];

export interface Checkpoint {
  state: ExportedState | 'schedulers';
  cursor: string | null;
}

/** Some lines that belong together, the last of them their checkpoint. */
export interface ExportedPage {
  lines: string[];
  jobs: number;
  schedulers: number;
}

type Job = Awaited<ReturnType<Api['client']['listJobs']>>['resource'][number];
type Scheduler = Awaited<ReturnType<Api['client']['listSchedulers']>>['resource'][number];

const PAGE = 100;

/** The queue, page by page, from behind `after`. Jobs that move meanwhile may come twice: their key is the same. */
export async function* exportedPages(
  api: Api,
  queue: string,
  { states, after }: { states: readonly ExportedState[]; after?: Checkpoint | undefined },
): AsyncGenerator<ExportedPage> {
  if (after === undefined) yield await schedulerPage(api, queue);
  const from = after === undefined || after.state === 'schedulers' ? 0 : states.indexOf(after.state);
  for (const state of states.slice(Math.max(from, 0))) {
    let cursor = after?.state === state ? after.cursor : undefined;
    while (cursor !== null) {
      const page: Awaited<ReturnType<Api['client']['listJobs']>> = await api.client.listJobs({
        params: { queue },
        query: { state: state as ListedState, limit: String(PAGE), cursor },
      });
      const texts = resourceTexts(api.textOf(page));
      const lines = page.resource.flatMap((job, index) => jobLine(job, texts[index] ?? '{}'));
      cursor = page.meta.next ?? null;
      yield { lines: [...lines, checkpointLine({ state, cursor })], jobs: lines.length, schedulers: 0 };
    }
  }
}

/** All of them at once: they are few, and numbered by when they are due. */
async function schedulerPage(api: Api, queue: string): Promise<ExportedPage> {
  const lines: string[] = [];
  for (let offset = 0; ; offset += PAGE) {
    const query = { limit: String(PAGE), offset: String(offset) };
    const page = await api.client.listSchedulers({ params: { queue }, query });
    const texts = resourceTexts(api.textOf(page));
    lines.push(...page.resource.map((scheduler, index) => schedulerLine(scheduler, texts[index] ?? '{}')));
    if (page.resource.length < PAGE) break;
  }
  const schedulers = lines.length;
  return { lines: [...lines, checkpointLine({ state: 'schedulers', cursor: null })], jobs: 0, schedulers };
}

function schedulerLine({ id, job }: Scheduler, text: string): string {
  const jobText = memberText(text, 'job') ?? '{}';
  const members = [
    `"id":${JSON.stringify(id)}`,
    `"schedule":${memberText(text, 'schedule')}`,
    `"name":${JSON.stringify(job.name)}`,
    `"data":${memberText(jobText, 'data') ?? '{}'}`,
    `"opts":${memberText(jobText, 'opts') ?? '{}'}`,
  ];
  return `{"scheduler":{${members.join(',')}}}`;
}

/** Nothing for a job that its scheduler makes again, and for a child of a flow, which means nothing without its parent. */
function jobLine(job: Job, text: string): string[] {
  if (job.parent !== null || (job.scheduler !== null && job.state === 'delayed')) return [];
  const key = createHash('sha256').update(`${job.queue}\n${job.id}`).digest('hex').slice(0, 32);
  const members = [
    `"name":${JSON.stringify(job.name)}`,
    `"data":${memberText(text, 'data') ?? '{}'}`,
    `"opts":${JSON.stringify(optionsOf(job))}`,
    `"idempotency_key":"export:${key}"`,
  ];
  return [`{${members.join(',')}}`];
}

/** As the API takes them. A job that has failed begins with all its attempts, and one that waits with those it has left. */
function optionsOf({ opts, attempts, state, run_at, expires_at }: Job): Record<string, unknown> {
  const isOver = state === 'failed' || state === 'expired' || state === 'cancelled';
  const { priority, group, lifo, backoff, timeout, deduplication } = opts;
  return {
    attempts: isOver ? attempts.max : Math.max(1, attempts.max - attempts.made),
    ...(priority > 0 && { priority }),
    ...(group !== null && { group }),
    ...(lifo && { lifo }),
    ...(backoff !== null && { backoff }),
    ...(timeout !== null && { timeout }),
    ...(state === 'delayed' && run_at !== null && { run_at }),
    ...(!isOver && expires_at !== null && { expires_at }),
    ...(!isOver &&
      deduplication !== null && {
        deduplication: { ...deduplication, ttl: deduplication.ttl ?? undefined },
      }),
  };
}

function checkpointLine(checkpoint: Checkpoint): string {
  return JSON.stringify({ checkpoint });
}

/** The checkpoint that a line is. */
export function checkpointOf(line: string): Checkpoint | undefined {
  if (!line.startsWith('{"checkpoint":') || !isJson(line)) return undefined;
  return (JSON.parse(line) as { checkpoint: Checkpoint }).checkpoint;
}

/**
 * The lines that are jobs, as bytes; the others are empty lines there, so that numbers stay. Each scheduler's text goes to
 * `onScheduler` in its turn.
 */
export async function* jobLinesOnly(
  source: AsyncIterable<Uint8Array>,
  onScheduler: (text: string) => Promise<void>,
): AsyncGenerator<Uint8Array> {
  const end = Buffer.from('\n');
  for await (const bytes of linesOf(source)) {
    const line = Buffer.from(bytes);
    const isOther = line.subarray(0, 13).toString('latin1');
    if (isOther === '{"scheduler":' && isJson(line.toString()))
      await onScheduler(memberText(line.toString(), 'scheduler') ?? '{}');
    else if (checkpointOf(line.toString()) === undefined) yield line;
    yield end;
  }
}
