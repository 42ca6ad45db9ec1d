/** This file owns what the console says of a connection that was tried. */
import type { RouteReply, routes } from '@sluice/contract';
import { type Html, html } from './html.ts';
import { badge, facts } from './parts.ts';

export type ConnectionTest = RouteReply<(typeof routes)['testService']>;

const FAULTS: Readonly<Record<NonNullable<ConnectionTest['fault']>, string>> = {
  unavailable: 'Nothing answers at this host and port.',
  auth: 'Redis answers, and refuses this user or password.',
  readonly: 'Redis answers, but it is a replica: it takes no writes.',
  loading: 'Redis answers, but it is still loading its data. Try again in a moment.',
  oom: 'Redis answers, but its memory is full: it takes no writes.',
  busy: 'Redis answers, but a script keeps it busy.',
};

export function connectionReport(test: ConnectionTest): Html {
  const state = test.fault ? badge('cannot serve', 'bad') : badge('can serve', 'good');
  return html`<section class="card" role="status" aria-label="Connection test">
<h2>Connection test ${state}</h2>
${test.fault && html`<p>${FAULTS[test.fault]}</p>`}
${facts([
  ['Reached', test.reachable ? 'yes' : 'no'],
  ['Signed in', test.authenticated ? 'yes' : 'no'],
  ['Answers in', test.latency_ms === null ? '–' : `${test.latency_ms.toFixed(1)} ms`],
  ['Version', test.server_version ?? '–'],
])}
${test.warnings.length > 0 && html`<ul>${test.warnings.map((text) => html`<li>${text}</li>`)}</ul>`}
</section>`;
}
