import { describe, expect, it, vi } from 'vitest';
import type { JobOptions } from '../src/schemas.ts';
import { type Bundle, setup } from './setup.ts';

/** Ids that are keys of BullMQ or ours, globs, paths, numbers, invisible or broken characters, words of the language. */
const POISON: unknown[] = [
  ...`meta wait active paused prioritized delayed waiting-children completed failed stalled stalled-check id limiter repeat
  events pc marker de dn metrics sluice 0 0:1 1 42 -1 007 metrics:completed metrics:completed:data metrics:failed:data repeat:x:1
  de:a:b a:b:lock x:y:logs : a: :a a:b a:b:c a:b:c:d {x} }{ {} { } * ? [a] [^a] \\ \\\\ .. . / // %2f %252f %00 1e9
  __proto__ constructor prototype toString hasOwnProperty valueOf null undefined true NaN é`.split(/\s+/),
  '',
  ' ',
  '\0',
  '\n',
  '\r\n',
  '\t',
  'e\u0301',
  '\u202e',
  '\ufeff',
  '\ud800',
  '\udfff',
  '😀',
  'x'.repeat(512),
  'x'.repeat(513),
  'x'.repeat(65_536),
  1,
  0,
  true,
  false,
  null,
  [],
  ['a'],
  {},
];

/** Each field takes the whole corpus; an answer may be a job or a refusal, never a crash and never a broken queue. */
const FIELDS: [string, (bundle: Bundle, poison: never) => Promise<unknown>][] = [
  ['a queue name', ({ jobs }, poison) => jobs.enqueue(poison, { name: 'n' })],
  ['the queue of a question', ({ jobs }, poison) => jobs.get(poison, 'j_1')],
  ['a job name', ({ jobs }, poison) => jobs.enqueue('q', { name: poison })],
  ['an idempotency key', ({ jobs }, poison) => jobs.enqueue('q', { name: 'n', idempotencyKey: poison })],
  [
    'a deduplication id',
    ({ jobs }, poison) => jobs.enqueue('q', { name: 'n', opts: { deduplication: { id: poison } } }),
  ],
  ['a job id asked for', ({ jobs }, poison) => jobs.get('q', poison)],
  ['a job id waited for', ({ jobs }, poison) => jobs.waitForResult('q', poison, { timeoutMs: 1 })],
  ['a cursor', ({ jobs }, poison) => jobs.list('q', { state: 'waiting', cursor: poison })],
  ['options', ({ jobs }, poison) => jobs.enqueue('q', { name: 'n', opts: poison as JobOptions })],
  [
    'an option',
    ({ jobs }, poison) => jobs.enqueue('q', { name: 'n', opts: { [String(poison)]: 1 } as JobOptions }),
  ],
];

describe('poison', () => {
  for (const [field, send] of FIELDS) {
    it(`as ${field} does no harm`, async (t) => {
      const bundle = await setup(t);
      const { jobs, bullWorker } = bundle;
      const canary = await jobs.enqueue('q', { name: 'canary', data: 'alive' });

      const refusals = new Set<unknown>();
      for (const poison of POISON) {
        await send(bundle, poison as never).catch((error: { code?: unknown }) =>
          refusals.add(error.code ?? error),
        );
      }

      expect(
        [...refusals].filter(
          (code) => !['job_invalid', 'job_not_found', 'queue_not_found'].includes(code as string),
        ),
      ).toEqual([]);
      bullWorker('q', ({ data }) => data, { concurrency: 50 });
      await vi.waitFor(async () => {
        const { counts } = await jobs.queue('q');
        expect(counts).toMatchObject({ waiting: 0, active: 0, failed: 0 });
      }, 8_000);
      expect((await jobs.get('q', canary.id)).result?.text).toBe('"alive"');
      expect(Object.keys({})).toEqual([]);
    });
  }
});
