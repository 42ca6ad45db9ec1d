/** This file owns the declarations of the Lua scripts of the system. */
import { defineScript } from '@sluice/redis';

export const changeRecords = defineScript({
  source: new URL('./lua/change-records.lua', import.meta.url),
  keys: ['records', 'trail'],
  args: ['author', 'request', 'max_fields', 'max_bytes', 'max_trail'],
  moreArgs: true,
});

export const claimAlerts = defineScript({
  source: new URL('./lua/claim-alerts.lua', import.meta.url),
  keys: ['alert_lease', 'alerts'],
  args: ['token', 'lease_ms'],
});

export const writeAlerts = defineScript({
  source: new URL('./lua/write-alerts.lua', import.meta.url),
  keys: ['alert_lease', 'alerts'],
  args: ['token'],
  moreArgs: true,
});

export const acknowledgeDataset = defineScript({
  source: new URL('./lua/acknowledge-dataset.lua', import.meta.url),
  keys: ['dataset'],
  args: ['epoch'],
});
