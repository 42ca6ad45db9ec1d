/** This file owns the routes of cache services made at run time, in DreamFactory's shape. */
import { REDIS_FAULTS } from '@sluice/system/schemas';
import { z } from 'zod';
import { queryFlag } from '../query.ts';
import { route } from '../route.ts';
import { recordRoutes, told } from './record-routes.ts';
import { recordErrors, recordHistory, SYSTEM_PATH, systemWrite, systemTag as tag } from './system.ts';

const PATH = `${SYSTEM_PATH}/service`;
const params = z.object({ name: z.string().min(1).max(64).toLowerCase() });

const service = z
  .looseObject({
    name: told('string', '1 to 40 letters, digits, - and _; leads the addresses of its keys', 'orders'),
    label: told('string', 'For people; default the name', 'Orders Cache'),
    description: told('string', 'For people', 'Cached orders'),
    type: told('string', 'cache_redis, or cache_local on the disk of each server', 'cache_redis'),
    is_active: told('boolean', 'false: every request to it is 403; default true', true),
    config: z
      .looseObject({
        host: told(
          'string',
          'Default 127.0.0.1; without host and port the Redis of the cache role',
          '127.0.0.1',
        ),
        port: told('integer', 'Default 6379', 6379),
        username: told('string', 'Of Redis ACL'),
        password: told(
          'string',
          'Write-only: stored encrypted, never told; absent keeps it, null removes it',
        ),
        database_index: told('integer', '0 to 15, default 0', 0),
        default_ttl: told('integer', 'Minutes before cached values expire, default 300; 0 for ever', 300),
        options: told(
          'object',
          'tls, sentinels, sentinel_master, sentinel_username, sentinel_password, cluster_nodes, key_prefix, flush_policy, unavailable_status, post_status, max_value_bytes, deflate_over_bytes, near',
        ),
      })
      .optional(),
  })
  .meta({ id: 'NewService' });

const view = z
  .object({
    name: z.string(),
    label: z.string(),
    description: z.string(),
    type: z.string(),
    is_active: z.boolean(),
    ...recordHistory,
    mutable: z.boolean(),
    deletable: z.boolean(),
    problem: z.string().nullable().meta({ description: 'Why it cannot be used; null when it can' }),
    config: z.looseObject({
      has_password: z.boolean().optional(),
      default_ttl: z.int(),
      options: z.looseObject({}),
    }),
  })
  .meta({ id: 'Service' });

const connectionTest = z
  .object({
    reachable: z.boolean(),
    authenticated: z.boolean(),
    latency_ms: z.number().nullable(),
    server_version: z.string().nullable(),
    fault: z.enum(REDIS_FAULTS).nullable().meta({ description: 'Why it cannot serve; null when it can' }),
    warnings: z.array(z.string()),
  })
  .meta({ id: 'ConnectionTest' });

const TEST_NOTE =
  'Connects once, within 2 s, to whatever address the caller names: a key with `system:write` can find out which ports of ' +
  'the inner network speak Redis. Give it to those who run the servers.';

const records = recordRoutes({
  kind: 'service',
  word: 'Service',
  words: 'Services',
  params,
  item: service,
  view,
  summaries: {
    list: 'Every cache service, those of the configuration first; never a password',
    create: 'Create cache services, all or none; every server serves them within 2 s',
    get: 'One cache service; never its password',
    patch: 'Change what the body names, as a JSON Merge Patch',
    replace: 'Replace a cache service; a password that is not named stays',
    remove: 'Remove a cache service; its values stay in Redis unless flushed',
  },
  errors: ['secret_changed'],
});

export const systemServices = {
  listServices: records.list,
  createServices: records.create,
  getService: records.get,
  patchService: records.patch,
  replaceService: records.replace,
  removeService: route({
    ...records.remove,
    query: z.object({
      flush: queryFlag.meta({
        type: 'boolean',
        description: 'Remove its values first; needs cache:flush for the service',
      }),
    }),
    errors: [...recordErrors, 'flush_denied'],
    // A flush of millions takes seconds, in bounded steps.
    isLongPoll: true,
  }),
  testService: route({
    id: 'testService',
    method: 'post',
    path: `${PATH}/_test`,
    tag,
    summary: 'Can this service, which need not exist, be reached? Stores nothing',
    description: TEST_NOTE,
    access: systemWrite,
    body: { schema: service },
    replies: { 200: { description: 'What was found', schema: connectionTest } },
    errors: ['record_invalid'],
  }),
  testStoredService: route({
    id: 'testStoredService',
    method: 'post',
    path: `${PATH}/{name}/_test`,
    tag,
    summary: 'Can this service be reached, with the password that is stored?',
    access: systemWrite,
    params,
    replies: { 200: { description: 'What was found', schema: connectionTest } },
    errors: ['record_unknown', 'secret_changed'],
  }),
};
