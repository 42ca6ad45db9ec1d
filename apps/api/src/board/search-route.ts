/** This file owns a request to search: which queues, for how long, and the page that answers it. */
import type { ErrorCode } from '@sluice/contract';
import type { Jobs } from '@sluice/jobs';
import { listedStateSchema } from '@sluice/jobs/schemas';
import { DomainError } from '@sluice/runtime';
import { z } from 'zod';
import type { ConsoleAssets } from '../console/assets.ts';
import type { Html } from '../console/html.ts';
import { SEARCHED, searchQueue } from './search.ts';
import { type SearchOutcome, searchPage } from './search-page.ts';
import type { ShownQueue } from './shown-queue.ts';

/** After so long no further queue is begun. */
const BUDGET_MS = 4_000;
/** The last queue may take two seconds more. */
export const SEARCH_DEADLINE_MS = 8_000;

const asked = z.object({
  q: z.string().max(1_024).default(''),
  by: z.enum(SEARCHED).default('data'),
  queue: z.string().max(64).default(''),
  state: z
    .union([z.literal(''), listedStateSchema])
    .default('')
    .transform((state) => (state === '' ? undefined : state)),
  cursor: z.string().max(512).optional(),
});

/** `queues` are those that the visitor sees: he finds in no other. Throws `input_invalid`, `queue_not_found`. */
export async function answerSearch(options: {
  jobs: Pick<Jobs, 'search'>;
  queues: ReadonlyMap<string, ShownQueue>;
  query: Record<string, string>;
  assets: ConsoleAssets;
}): Promise<Html> {
  const { jobs, queues, query, assets } = options;
  const { data, error } = asked.safeParse(query);
  if (error) throw new DomainError<ErrorCode>('input_invalid', z.prettifyError(error));
  const { q, queue, ...rest } = data;
  const search = { text: q, ...rest };
  const names = queue === '' ? [...queues.keys()] : [queue];
  const chosen = names.map((name) => [name, queues.get(name)] as const);
  if (chosen.some(([, each]) => each === undefined)) {
    throw new DomainError<ErrorCode>('queue_not_found', `There is no queue '${queue}'.`);
  }
  const page = { assets, queues: [...queues.keys()], queue, search };
  if (q === '') return searchPage(page);

  const until = performance.now() + BUDGET_MS;
  const outcome: SearchOutcome = { hits: [], examined: 0, more: [], unsearched: [] };
  for (const [at, [, each]] of chosen.entries()) {
    if (!each) continue;
    if (performance.now() >= until) {
      outcome.unsearched = names.slice(at);
      break;
    }
    const found = await searchQueue(jobs, each, search);
    outcome.hits.push(...found.hits);
    outcome.examined += found.examined;
    outcome.more.push(...found.more);
  }
  return searchPage({ ...page, outcome });
}
