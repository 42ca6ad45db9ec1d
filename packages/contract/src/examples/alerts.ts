/** This file owns the examples of alerts, which are told to the endpoint of the deliveries before them. */
import type { Examples } from '../example.ts';
import type { systemAlerts as alertRoutes } from '../routes/system-alerts.ts';
import { at, history } from './system.ts';

const ofAlert = { params: { name: 'slow-mail' } };
const watched = {
  name: 'slow-mail',
  rule: 'oldest_age' as const,
  subjects: ['mail*'],
  threshold: 30,
  endpoint: 'partner',
};
const alert = {
  ...watched,
  for_seconds: 60,
  quiet_seconds: 3_600,
  is_active: true,
  ...history,
};

export const alertExamples: Examples<typeof alertRoutes> = {
  createAlerts: { body: { resource: [watched] }, reply: { resource: [alert] } },
  listAlerts: { reply: { resource: [alert] } },
  getAlert: { ...ofAlert, reply: alert },
  patchAlert: {
    ...ofAlert,
    body: { quiet_seconds: 600 },
    reply: { ...alert, quiet_seconds: 600, version: 2 },
  },
  replaceAlert: { ...ofAlert, body: watched, reply: { ...alert, version: 3 } },
  testAlert: { ...ofAlert, reply: { id: 'j_01', queue: 'deliveries' } },
  removeAlert: { ...ofAlert, reply: { name: 'slow-mail', success: true } },
  listAlertStates: {
    reply: {
      resource: [
        {
          alert: 'slow-mail',
          subject: 'mail',
          phase: 'firing',
          since: at,
          value: 42,
          told: 'firing',
          told_at: at,
        },
      ],
    },
  },
};
