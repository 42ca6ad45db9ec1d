/** This file owns `sluice alerts`: what is looked after, what fires, and a test of who is told. */
import type { Command } from 'commander';
import { type Api, type ApiOptions, speaksToApi, withApi } from '../api.ts';
import { print, printTable, resourceTexts, visible } from '../output.ts';
import type { Terminal } from '../terminal.ts';

const HELP = `
Alerts are told to the endpoint of deliveries that they name, 'alerts' unless it is another.

Examples
  sluice alerts
  sluice alerts firing
  sluice alerts test redis-memory`;

export function addAlertsCommand(program: Command, terminal: Terminal): void {
  const alerts = program.command('alerts').description('alerts: rules, what fires, a test of who is told');
  alerts.addHelpText('after', HELP);

  speaksToApi(alerts.command('list', { isDefault: true }).description('every alert (default)')).action(
    (options: ApiOptions) => withApi(options, terminal, (api) => list(api, terminal)),
  );

  speaksToApi(alerts.command('firing').description('what is coming, firing, or just over')).action(
    (options: ApiOptions) => withApi(options, terminal, (api) => firing(api, terminal)),
  );

  speaksToApi(alerts.command('test').description('send its receiver a test'))
    .argument('<alert>', 'its name')
    .action((alert: string, options: ApiOptions) =>
      withApi(options, terminal, (api) => test(api, terminal, alert)),
    );
}

async function list(api: Api, terminal: Terminal): Promise<void> {
  const alerts = await api.client.listAlerts();
  if (api.isJson) return print(terminal, resourceTexts(api.textOf(alerts)));
  const rows = alerts.resource.map((alert) => [
    alert.name,
    alert.rule,
    alert.subjects.join(', '),
    String(alert.threshold),
    `${alert.for_seconds} s`,
    alert.endpoint,
    alert.is_active ? alert.origin.replace('_', ' ') : 'off',
  ]);
  const headings = ['ALERT', 'RULE', 'OF', 'THRESHOLD', 'FOR', 'TOLD TO', 'ORIGIN'];
  printTable(terminal, headings, rows, 'No alerts.');
}

async function firing(api: Api, terminal: Terminal): Promise<void> {
  const states = await api.client.listAlertStates();
  if (api.isJson) return print(terminal, resourceTexts(api.textOf(states)));
  const rows = states.resource.map(({ alert, subject, phase, value, since, told }) => [
    alert,
    visible(subject),
    phase,
    String(Math.round(value * 1_000) / 1_000),
    since,
    told ?? 'nobody yet',
  ]);
  printTable(terminal, ['ALERT', 'OF', 'PHASE', 'VALUE', 'SINCE', 'TOLD'], rows, 'All is well.');
}

async function test(api: Api, terminal: Terminal, name: string): Promise<void> {
  const sent = await api.client.testAlert({ params: { name } });
  const sentence = `Sent as job ${sent.id} of queue ${sent.queue}; 'sluice jobs show ${sent.queue} ${sent.id}' tells what came of it.`;
  print(terminal, [api.isJson ? api.textOf(sent) : sentence]);
}
