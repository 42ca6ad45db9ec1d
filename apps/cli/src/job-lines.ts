/** This file owns files of jobs, one a line (NDJSON): lines of bytes to jobs that can be sent, each with an idempotency key by which it is enqueued once however often the file is sent. */
import { createHash } from 'node:crypto';
import type { JobOptions } from '@sluice/jobs/schemas';
import { JsonText, jsonMembers } from '@sluice/runtime';
import { isJson, misused } from './argument.ts';

/** A job as it is sent; what the caller wrote stays its own text. */
export interface LineJob {
  name: string | JsonText;
  data?: JsonText;
  opts?: JobOptions | JsonText;
  idempotency_key: string | JsonText;
}

export interface JobLine {
  /** Counts from 1, empty lines too. */
  number: number;
  /** Or why it cannot be one. */
  job: LineJob | undefined;
  fault?: string;
  /** Of the line; what is sent is a little longer. */
  bytes: number;
}

export interface JobLinesOptions {
  /** Each line is the data of a job of this name. Absent: each line is a whole job. */
  jobName: string | undefined;
  /** Of lines that say none of their own. */
  opts: JobOptions | undefined;
  /** Names the sending: the same name and line is the same job. */
  run: string;
  /** Lines before it are left out. */
  fromLine: number;
}

/** What a server can be told to take in one request is less. */
const MAX_LINE_BYTES = 16 * 1_048_576;
const NEWLINE = 0x0a;
const MEMBERS: ReadonlySet<string> = new Set(['name', 'data', 'opts', 'idempotency_key']);

export async function* jobLines(
  source: AsyncIterable<Uint8Array>,
  options: JobLinesOptions,
): AsyncGenerator<JobLine> {
  const runHash = createHash('sha256').update(options.run).digest('hex').slice(0, 32);
  let number = 0;
  for await (const bytes of linesOf(source)) {
    number += 1;
    if (number < options.fromLine) continue;
    const text = textOf(bytes, number);
    if (text === undefined) yield { number, job: undefined, fault: 'it is not UTF-8', bytes: bytes.length };
    else if (text !== '')
      yield { number, bytes: bytes.length, ...jobOf(text, `cli:${runHash}:${number}`, options) };
  }
}

/** Lines end with LF or CR LF; the last one may end with nothing. Throws when one is too long for any server. */
export async function* linesOf(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let parts: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of source) {
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end !== -1; end = chunk.indexOf(NEWLINE, start)) {
      yield Buffer.concat([...parts, chunk.subarray(start, end)]);
      parts = [];
      length = 0;
      start = end + 1;
    }
    if (start === chunk.length) continue;
    parts.push(chunk.subarray(start));
    length += chunk.length - start;
    if (length > MAX_LINE_BYTES)
      throw misused(`A line has more than ${MAX_LINE_BYTES / 1_048_576} MiB: is it one job a line?`);
  }
  if (length > 0) yield Buffer.concat(parts);
}

/** Without blanks around it and, in the first line, without the mark that some editors write. */
function textOf(bytes: Uint8Array, number: number): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: number !== 1 }).decode(bytes).trim();
  } catch (cause) {
    if (!(cause instanceof TypeError)) throw cause;
    return undefined;
  }
}

function jobOf(
  text: string,
  ownKey: string,
  { jobName, opts }: JobLinesOptions,
): { job: LineJob } | { job: undefined; fault: string } {
  if (!isJson(text)) return { job: undefined, fault: 'it is not JSON' };
  const shared = { idempotency_key: ownKey, ...(opts && { opts }) };
  if (jobName !== undefined) return { job: { ...shared, name: jobName, data: new JsonText(text) } };
  if (!text.startsWith('{'))
    return {
      job: undefined,
      fault: 'it is not an object {"name": …, "data": …}; with a name before --file lines are data',
    };
  const members = new Map(jsonMembers(text).map((member) => [member.name, new JsonText(member.text)]));
  const unknown = [...members.keys()].find((name) => !MEMBERS.has(name));
  if (unknown !== undefined) {
    return {
      job: undefined,
      fault: `${JSON.stringify(unknown)} is no member of a job: ${[...MEMBERS].join(', ')} are`,
    };
  }
  const name = members.get('name');
  if (name === undefined) return { job: undefined, fault: 'it has no "name"' };
  return { job: { ...shared, ...Object.fromEntries(members), name } };
}
