/** This file owns the routes of rate-limit policies made at run time. */
import { z } from 'zod';
import { IF_MATCH_HEADER } from '../headers.ts';
import { route } from '../route.ts';
import {
  createErrors,
  IF_MATCH,
  oneOrMany,
  recordErrors,
  recordHistory,
  removed,
  SYSTEM_PATH,
  systemRead,
  systemWrite,
  systemTag as tag,
} from './system.ts';

const PATH = `${SYSTEM_PATH}/limit`;
const params = z.object({ name: z.string().min(1).max(64) });

const told = (type: string, description: string, example?: unknown) =>
  z
    .unknown()
    .optional()
    .meta({ type, description, ...(example !== undefined && { example }) } as Record<string, unknown>);

/** Judged by the rules of the services file, which name every fault. */
const policy = z
  .looseObject({
    name: told('string', '1 to 64 of a-z, 0-9, dot, - and _', 'writes'),
    algorithm: told('string', 'gcra (default), sliding, fixed, concurrency', 'gcra'),
    limit: told('integer', 'Units in a period; for concurrency at once', 600),
    period: told('string', 'minute, hour, day, 7-day, 30-day, or a length such as 10s', 'minute'),
    burst: told('integer', 'gcra: units at once after a rest; default the limit', 50),
    lease: told('string', 'concurrency: how long a lease holds; default 30s'),
    by: told(
      'array',
      'Requests are counted by these together: key, session, address, route, service, queue',
      ['key'],
    ),
    match: told('object', 'Requests it is for, by fact and pattern', { route: ['POST *'] }),
    overrides: told('array', 'Another limit for some keys', [{ key: 'k_1', limit: 'unlimited' }]),
    shadow: told('boolean', 'Counts and tells, refuses nobody', false),
    block: told('string', 'After a refusal everything of this key is refused for so long'),
    prepay: told('integer', 'Units a process may charge ahead for a busy key; default 0', 0),
    away: told('string', 'On failure of the store: open, closed, or memory (default)', 'memory'),
  })
  .meta({ id: 'NewPolicy' });

const view = z
  .looseObject({ name: z.string(), ...recordHistory, mutable: z.boolean(), deletable: z.boolean() })
  .meta({ id: 'Policy' });

export const systemLimits = {
  listPolicies: route({
    id: 'listPolicies',
    method: 'get',
    path: PATH,
    tag,
    summary: 'Every rate-limit policy, those of the configuration first',
    access: systemRead,
    replies: { 200: { description: 'Policies', schema: z.object({ resource: z.array(view) }) } },
  }),
  createPolicies: route({
    id: 'createPolicies',
    method: 'post',
    path: PATH,
    tag,
    summary: 'Create policies, all or none; every server obeys within 2 s',
    access: systemWrite,
    body: { schema: oneOrMany(policy), bound: 'batch' },
    replies: { 201: { description: 'Created', schema: z.object({ resource: z.array(view) }) } },
    errors: [...createErrors, 'batch_failed'],
  }),
  getPolicy: route({
    id: 'getPolicy',
    method: 'get',
    path: `${PATH}/{name}`,
    tag,
    summary: 'One policy',
    access: systemRead,
    params,
    replies: { 200: { description: 'The policy', schema: view } },
    errors: ['record_unknown'],
  }),
  patchPolicy: route({
    id: 'patchPolicy',
    method: 'patch',
    path: `${PATH}/{name}`,
    tag,
    summary:
      'Change what the body names, as a JSON Merge Patch; counts go on unless algorithm or period change',
    description: IF_MATCH,
    access: systemWrite,
    headers: IF_MATCH_HEADER,
    params,
    body: { schema: policy },
    replies: { 200: { description: 'The policy', schema: view } },
    errors: [...recordErrors],
  }),
  replacePolicy: route({
    id: 'replacePolicy',
    method: 'put',
    path: `${PATH}/{name}`,
    tag,
    summary: 'Replace a policy',
    description: IF_MATCH,
    access: systemWrite,
    headers: IF_MATCH_HEADER,
    params,
    body: { schema: policy },
    replies: { 200: { description: 'The policy', schema: view } },
    errors: [...recordErrors],
  }),
  removePolicy: route({
    id: 'removePolicy',
    method: 'delete',
    path: `${PATH}/{name}`,
    tag,
    summary: 'Remove a policy; what it counted expires by itself',
    description: IF_MATCH,
    access: systemWrite,
    headers: IF_MATCH_HEADER,
    params,
    replies: { 200: { description: 'Removed', schema: removed } },
    errors: [...recordErrors],
  }),
};
