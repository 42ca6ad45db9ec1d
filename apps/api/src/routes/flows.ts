/** This file owns the answers about flows. */
import type { ErrorCode, routes } from '@sluice/contract';
import type { FlowJob, FlowView, Jobs } from '@sluice/jobs';
import { DomainError, JsonText, jsonElements, jsonMembers, stringifyCarrying } from '@sluice/runtime';
import { backlogOf, type Handlers, type Principal } from '../http/call.ts';
import { json, jsonText } from '../http/reply.ts';
import { jobBody } from './job-body.ts';

type FlowRoutes = Pick<typeof routes, 'addFlow' | 'getFlow'>;
type FlowBody = { readonly queue: string; readonly children?: readonly FlowBody[] | undefined };

export function flowHandlers({ jobs: { flows } }: { jobs: Jobs }): Handlers<FlowRoutes> {
  return {
    addFlow: async ({ principal, body, bodyText }) => {
      requireQueues(principal, body);
      return json(201, await flows.add(readFlow(bodyText ?? ''), { backlog: backlogOf(principal) }));
    },
    getFlow: async ({ params }) =>
      jsonText(200, stringifyCarrying(flowBody(await flows.get(params.queue, params.id)))),
  };
}

function requireQueues(principal: Principal, { queue, children = [] }: FlowBody): void {
  if (!principal.grants.allows('jobs', 'enqueue', queue)) {
    throw new DomainError<ErrorCode>('forbidden', `This key lacks the scope jobs:enqueue for '${queue}'.`, {
      details: { scope: 'jobs:enqueue' },
    });
  }
  for (const child of children) requireQueues(principal, child);
}

/** The tree from its text, which has been validated: every job's data is carried as it was written. */
function readFlow(text: string): FlowJob {
  const flow: Record<string, unknown> = {};
  for (const { name, text: member } of jsonMembers(text)) {
    if (name === 'data') flow.data = new JsonText(member);
    else if (name === 'children') flow.children = jsonElements(member).map(readFlow);
    else flow[name === 'on_failure' ? 'onFailure' : name] = JSON.parse(member);
  }
  return flow as unknown as FlowJob;
}

function flowBody({ id, queue, job, children, hasMore }: FlowView): object {
  return { id, queue, job: job && jobBody(job), children: children.map(flowBody), has_more: hasMore };
}
