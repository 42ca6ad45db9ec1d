/** This file owns what is wrong with an answer, by our own document, and what the API's log says of it. */
import { type RouteDeclaration, routes } from '@sluice/contract';
import type { ApiDocument } from './document.ts';
import type { Answer } from './http-client.ts';
import type { FuzzRequest } from './requests.ts';

const ALL: readonly RouteDeclaration[] = Object.values(routes);
/** What a request may end with whatever its route says: nothing else of the door's belongs to a route unstated. */
const ANYWHERE: ReadonlySet<string> = new Set(['route_unknown', 'method_not_allowed']);
/** A cache service whose Redis is away: the published page's own 500. */
const PUBLISHED_500 = 'cache_unavailable';
/** Far above the 2 s that are promised, for a machine that is busy with other things. */
const MAX_DURATION_MS = 10_000;

/** Sentences; empty when the answer is as the document has it. */
export function faultsOf(document: ApiDocument, request: FuzzRequest, answer: Answer): string[] {
  const { operation } = request;
  const { status, headers } = answer;
  const faults: string[] = [];
  const isElsewhere = request.fault === 'another method' || request.fault === 'a poison id';
  const reason = reasonOf(answer);

  if (status >= 500 && ![503, 507].includes(status) && reason !== PUBLISHED_500)
    faults.push(`${status} ${reason ?? ''} is documented nowhere`);
  if (request.isForbidden && status < 400) faults.push(`${status} to a body that the document forbids`);
  if (answer.durationMs > MAX_DURATION_MS && !isLate(request)) faults.push('took longer than 10 s');
  for (const name of ['x-request-id', 'x-content-type-options', 'cache-control']) {
    if (headers[name] === undefined) faults.push(`has no ${name}`);
  }
  const declared = operation.responses[String(status)];
  if (status >= 400 && reason === undefined && !declared?.content)
    faults.push(`${status} without the error envelope`);
  // Where the request went to another route than was meant, that one's answers are not looked up.
  if (isElsewhere || (reason !== undefined && ANYWHERE.has(reason))) return faults;
  if (!declared) return [...faults, `${status} ${reason ?? ''} is not in the document`];
  if (reason !== undefined && status >= 400 && !declared.description.includes(`\`${reason}\``))
    faults.push(`${status} ${reason} is not among the document's: ${declared.description}`);
  // The bare value, of whatever kind it is.
  if (operation.id === 'readValue' && 'raw' in request.fields) return faults;
  return [...faults, ...contentFaults(document, declared.content, answer)];
}

function contentFaults(
  document: ApiDocument,
  content: Readonly<Record<string, { schema?: object }>> | undefined,
  { status, headers, text }: Answer,
): string[] {
  const type = String(headers['content-type'] ?? '').split(';', 1)[0] as string;
  if (!content) return text === '' ? [] : [`${status} with a body, where the document has none`];
  const media = content[type];
  if (!media) return [`${status} as ${type || 'nothing'}, documented as ${Object.keys(content).join(', ')}`];
  if (type !== 'application/json' || !media.schema) return [];
  const fault = document.fault(media.schema, parsed(text));
  return fault === undefined ? [] : [`${status} is not as its schema: ${fault}`];
}

/** What an API has logged of requests that it failed to answer. */
export function failuresIn(log: string): string {
  return log
    .split('\n')
    .filter((line) => line.includes('"status":500'))
    .join('\n');
}

export function reasonOf({ text }: Answer): string | undefined {
  const value = parsed(text) as { error?: { context?: { reason?: string } } } | undefined;
  return value?.error?.context?.reason;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** By design: a wait, a stream, a flush. */
function isLate({ operation }: FuzzRequest): boolean {
  return ALL.find(({ id }) => id === operation.id)?.isLongPoll === true;
}
