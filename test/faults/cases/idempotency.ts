/** This file owns F-20: a hundred callers at once with one idempotency key. */
import type { FaultCase, Outcome, Run } from '../case.ts';
import { quantiles } from '../checker.ts';
import type { Answer } from '../door.ts';
import { Lab } from '../lab.ts';
import { singleServer } from '../topology.ts';

const QUEUE = 'once';

export const idempotency: FaultCase = {
  id: 'F-20',
  title: 'Many callers with one idempotency key',
  about:
    'Requests with the same Idempotency-Key and body, all at once, to two APIs; one among them has another body under the same key.',
  target: 'one 201, the others 200 with the same id, the other body 422, one effect',
  parameters: {
    rounds: { says: 'how many keys', long: 200, short: 20 },
    callers: { says: 'for each key, at once', long: 100, short: 50 },
  },
  run: callTogether,
};

async function callTogether(run: Run): Promise<Outcome> {
  const topology = await singleServer(run, { folder: run.folder, fsync: 'always' });
  const lab = await Lab.open(run, { topology, apis: 2, workers: 1, queues: [QUEUE] });
  const load = lab.load({ jobsPerSecond: 10 });
  const watch = lab.watch(load);
  const wrong = { created: 0, ids: 0, mismatches: 0, others: 0 };
  const answersMs: number[] = [];
  const [rounds, callers] = [run.number('rounds'), run.number('callers')];
  for (let round = 0; round < rounds; round += 1) {
    const key = `once-${round}`;
    const sentAt = Date.now();
    const ask = (data: object) =>
      lab.door.call(`/queues/${QUEUE}/jobs`, {
        method: 'POST',
        headers: { 'Idempotency-Key': key },
        json: { name: 'fault.effect', data },
      });
    const body = { key, url: lab.sink.url };
    const first = await Promise.all(Array.from({ length: callers }, () => ask(body)));
    const other = await ask({ ...body, workMs: 1 });
    const ids = new Set(first.map(idOf));
    if (first.filter(({ status }) => status === 201).length !== 1) wrong.created += 1;
    if (ids.size !== 1) wrong.ids += 1;
    if (first.some(({ status }) => status !== 200 && status !== 201)) wrong.others += 1;
    if (other.status !== 422) wrong.mismatches += 1;
    answersMs.push(...first.map(({ ms }) => ms));
    lab.ledger.add({
      ...{ key, kind: 'single', queue: QUEUE, class: 'ok', ids: [...ids], delayMs: 0, tries: callers },
      ...{ sentAt, answeredAt: Date.now(), answer: '201' },
    });
  }
  watch.end();
  const verdict = await lab.check({ load });
  const { p50, max } = quantiles(answersMs);
  const none = (what: string, count: number) => ({
    what,
    target: '0',
    measured: String(count),
    holds: count === 0,
  });
  return {
    topology: topology.name,
    verdict,
    faults: {},
    findings: [
      none('keys without exactly one 201', wrong.created),
      none('keys with several ids', wrong.ids),
      none('keys with answers other than 200 and 201', wrong.others),
      none('other bodies not answered with 422', wrong.mismatches),
      {
        what: `answers of ${answersMs.length} calls`,
        target: '<= 2,000 ms',
        measured: `p50 ${p50.toFixed(0)} ms, max ${max.toFixed(0)} ms`,
        holds: max <= 2_000,
      },
    ],
  };
}

function idOf({ body }: Answer): string {
  return (body as { id?: string } | undefined)?.id ?? '';
}
