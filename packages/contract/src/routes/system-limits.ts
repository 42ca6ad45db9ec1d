/** This file owns the routes of rate-limit policies made at run time. */
import { z } from 'zod';
import { recordRoutes, told } from './record-routes.ts';
import { recordHistory } from './system.ts';

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

const records = recordRoutes({
  kind: 'limit',
  word: 'Policy',
  words: 'Policies',
  params: z.object({ name: z.string().min(1).max(64) }),
  item: policy,
  view,
  summaries: {
    list: 'Every rate-limit policy, those of the configuration first',
    create: 'Create policies, all or none; every server obeys within 2 s',
    get: 'One policy',
    patch:
      'Change what the body names, as a JSON Merge Patch; counts go on unless algorithm or period change',
    replace: 'Replace a policy',
    remove: 'Remove a policy; what it counted expires by itself',
  },
});

export const systemLimits = {
  listPolicies: records.list,
  createPolicies: records.create,
  getPolicy: records.get,
  patchPolicy: records.patch,
  replacePolicy: records.replace,
  removePolicy: records.remove,
};
