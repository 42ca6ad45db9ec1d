/** This file owns the routes of alerts: rules that are looked after, where they stand, a test of their receiver. */
import { ALERT_ENDPOINT, ALERT_PHASES, ALERT_RULES, alertSchema } from '@sluice/system/schemas';
import { z } from 'zod';
import { route } from '../route.ts';
import { recordRoutes, told } from './record-routes.ts';
import { recordHistory, SYSTEM_PATH, systemRead, systemWrite, systemTag as tag } from './system.ts';

const params = z.object({ name: z.string().min(1).max(64) });

const alert = z
  .looseObject({
    name: told('string', '1 to 64 of a-z, 0-9, dot, - and _', 'slow-mail'),
    rule: told('string', ALERT_RULES.join(', '), 'oldest_age'),
    subjects: told('array', 'Queues, or connections to Redis; a beginning with * is one too; default *', [
      'mail*',
    ]),
    threshold: told('number', 'Above it, for a hit ratio below; default of the rule', 60),
    for_seconds: told('integer', 'For so long without a break; default of the rule', 60),
    quiet_seconds: told('integer', 'No second message about a subject sooner; default 3600', 3_600),
    endpoint: told('string', 'The endpoint of deliveries that is told', ALERT_ENDPOINT),
    is_active: told('boolean', 'false: nobody looks; default true', true),
  })
  .meta({ id: 'NewAlert' });

const view = z
  .object({ ...alertSchema.shape, ...recordHistory, mutable: z.boolean(), deletable: z.boolean() })
  .meta({ id: 'Alert' });

const records = recordRoutes({
  kind: 'alert',
  word: 'Alert',
  words: 'Alerts',
  params,
  item: alert,
  view,
  summaries: {
    list: 'Every alert, those built in first',
    create: 'Create alerts, all or none; one with the name of one built in takes its place',
    get: 'One alert',
    patch: 'Change what the body names, as a JSON Merge Patch; one built in becomes your own',
    replace: 'Replace an alert',
    remove: 'Remove an alert; one built in of the same name holds again',
  },
});

export const systemAlerts = {
  listAlerts: records.list,
  createAlerts: records.create,
  getAlert: records.get,
  patchAlert: records.patch,
  replaceAlert: records.replace,
  removeAlert: records.remove,
  testAlert: route({
    id: 'testAlert',
    method: 'post',
    path: `${SYSTEM_PATH}/alert/{name}/_test`,
    tag,
    summary: 'Send its receiver a message of type alert.test',
    access: systemWrite,
    params,
    replies: {
      202: { description: 'The delivery', schema: z.object({ id: z.string(), queue: z.string() }) },
    },
    errors: ['record_unknown', 'endpoint_not_found', 'endpoint_gone', 'delivery_invalid'],
  }),
  listAlertStates: route({
    id: 'listAlertStates',
    method: 'get',
    path: `${SYSTEM_PATH}/alert_state`,
    tag,
    summary: 'Where alerts stand: what is coming, firing, or just over',
    access: systemRead,
    replies: {
      200: {
        description: 'By alert and subject',
        schema: z.object({
          resource: z.array(
            z
              .object({
                alert: z.string(),
                subject: z.string().meta({ description: 'A queue, or a connection to Redis' }),
                phase: z.enum(ALERT_PHASES).meta({
                  description: 'pending: not yet for long enough · quiet: over, and its quiet time is not',
                }),
                since: z.iso.datetime(),
                value: z.number(),
                told: z.enum(['firing', 'resolved']).nullable().meta({
                  description: 'What its receiver was told last; null: nothing, as there is none',
                }),
                told_at: z.iso.datetime().nullable(),
              })
              .meta({ id: 'AlertState' }),
          ),
        }),
      },
    },
  }),
};
