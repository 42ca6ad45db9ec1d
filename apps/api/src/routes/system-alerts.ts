/** This file owns the answers about alerts. */
import type { ErrorCode, routes } from '@sluice/contract';
import { DomainError } from '@sluice/runtime';
import { type AlertStates, Book, builtInAlerts, type Registry, recordedAlerts } from '@sluice/system';
import type { AlertWatch } from '../alerts/watch.ts';
import type { Handlers } from '../http/call.ts';
import { json } from '../http/reply.ts';
import { recordHandlers } from './record-handlers.ts';
import { requireLoaded } from './system-records.ts';

type AlertRoutes = Pick<
  typeof routes,
  | 'listAlerts'
  | 'createAlerts'
  | 'getAlert'
  | 'patchAlert'
  | 'replaceAlert'
  | 'removeAlert'
  | 'testAlert'
  | 'listAlertStates'
>;

/** Each is looked at in every round. */
const MAX_ALERTS = 200;

export function systemAlertHandlers(options: {
  registry: Registry;
  states: AlertStates;
  watch: () => Promise<AlertWatch>;
}): Handlers<AlertRoutes> {
  const { registry, states, watch } = options;
  const records = recordHandlers({
    registry,
    kind: 'alert',
    book: new Book({ registry, recorded: recordedAlerts(), configured: [] }),
    builtIn: new Map(builtInAlerts().map((alert) => [alert.name, alert])),
    told: (alert) => alert,
    requireRoom: (more) => requireRoom(registry.list('alert').length + more),
  });
  return {
    listAlerts: records.list,
    createAlerts: records.create,
    getAlert: records.get,
    patchAlert: records.patch,
    replaceAlert: records.replace,
    removeAlert: records.remove,
    testAlert: async ({ params: { name } }) => {
      requireLoaded(registry);
      const watching = await watch();
      const alert = watching.alerts().find((each) => each.name === name);
      if (!alert) throw new DomainError<ErrorCode>('record_unknown', `There is no alert '${name}'.`);
      const { id, queue } = await watching.test(alert);
      return json(202, { id, queue });
    },
    listAlertStates: async () =>
      json(200, {
        resource: (await states.list()).map(({ alert, subject, state }) => ({
          alert,
          subject,
          phase: state.phase,
          since: new Date(state.sinceMs).toISOString(),
          value: state.value,
          told: state.told,
          told_at: state.toldAtMs === null ? null : new Date(state.toldAtMs).toISOString(),
        })),
      }),
  };
}

function requireRoom(wanted: number): void {
  if (wanted <= MAX_ALERTS) return;
  throw new DomainError<ErrorCode>('too_many_records', `At most ${MAX_ALERTS} alerts can be made.`);
}
